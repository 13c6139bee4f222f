"""Options in another order: letters stay, texts change places, and the right one is followed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.benchmarks.option_order import reordered
from sf_eval.benchmarks.prompts import join, listed
from sf_eval.editions.cache import EDITIONS

TEXTS = st.lists(
    st.sampled_from(["red", "blue", "a red cup", "4", "E. coli", "x\ny", "Red."]), min_size=2, max_size=5
)


def document(
    *texts: str, answer: str | None = "A", question: str = "What is it?", name: str = "q"
) -> Document:
    options = dict(zip("ABCDEFGH", texts, strict=False))
    return Document(
        index=0, id=name, video_id="v", media=MediaRef(("v.mp4",)), subtitles=None, question=question,
        options=options, answer=answer, categories={},
        prompt=join("Select.", question, listed(options), "Answer."),
    )  # fmt: skip


@given(TEXTS, st.integers(0, 50), st.data())
def test_the_right_text_stays_right_and_the_prompt_shows_the_new_order(
    texts: list[str], seed: int, data: st.DataObject
) -> None:
    asked = document(*texts, answer=data.draw(st.sampled_from("ABCDE"[: len(texts)])), name=str(seed))
    found = reordered(asked, seed)
    now = found.document
    assert sorted(now.options.values()) == sorted(texts)
    assert sorted(found.order) == list(asked.options)
    assert {
        letter: asked.options[was] for letter, was in zip(now.options, found.order, strict=True)
    } == now.options
    assert asked.answer is not None
    assert now.answer is not None
    assert found.order[ord(now.answer) - ord("A")] == asked.answer
    assert now.prompt == join("Select.", now.question, listed(now.options), "Answer.")
    assert reordered(asked, seed) == found


def test_every_place_is_as_likely() -> None:
    """600 questions, four places: 150 each, give or take 4 standard deviations."""
    places = Counter(
        reordered(document(*"wxyz", name=f"q{number}"), 0).document.answer for number in range(600)
    )
    assert all(abs(count - 150) < 4 * (600 * 3 / 16) ** 0.5 for count in places.values()), places


@pytest.mark.parametrize(
    "option",
    ["All of the above", "None of the above.", "both of the options", "Neither of these", "None of these"],
)
def test_what_speaks_of_all_options_keeps_its_place(option: str) -> None:
    for number in range(20):
        found = reordered(document("one", "two", "three", option, name=str(number)), 0)
        assert found.document.options["D"] == option
        assert not found.left
    assert (
        len({reordered(document("one", "two", "three", option, name=str(n)), 0).order for n in range(20)}) > 3
    )


@pytest.mark.parametrize(
    "option", ["Both A and B", "A and C", "(A) and (B)", "Option B is right", "A, B and C", "Only A and D",
               "neither A nor B", "the first and second options"],
)  # fmt: skip
def test_a_question_whose_options_name_each_other_is_left(option: str) -> None:
    asked = document("one", "two", option)
    found = reordered(asked, 3)
    assert (found.document, found.order) == (asked, "ABC")
    assert "names others" in found.left


@pytest.mark.parametrize(
    "option",
    ["A red cup", "Vitamin A and B12 pills", "A and the cat", "They both leave", "An A", "Above the door"],
)
def test_words_that_only_look_like_names_of_options_are_moved(option: str) -> None:
    orders = {
        reordered(document("one", "two", "three", option, name=str(number)), 0).order for number in range(30)
    }
    assert len({order.index("D") for order in orders}) == 4


def test_a_question_about_options_is_left() -> None:
    assert (
        "the question names" in reordered(document("one", "two", question="Why is option B wrong?"), 0).left
    )


def test_options_that_the_prompt_does_not_show_are_left() -> None:
    asked = document("one", "two")
    hidden = Document(**{**{name: getattr(asked, name) for name in asked.__slots__}, "prompt": "one or two?"})
    assert "does not show" in reordered(hidden, 0).left


@pytest.mark.parametrize("name", ["videomme", "mlvu", "mvbench_action_count", "egoschema", "longvideobench"])
def test_all_benchmarks_show_their_options_so_that_they_can_be_moved(name: str) -> None:
    benchmark = get_benchmark(name)
    rows = [row for table in EDITIONS[benchmark.folder]().tables.values() for row in table]
    if benchmark.folder == "mvbench":
        rows = [row for row in rows if len(row["candidates"]) == 4]
    documents = [benchmark.read_row(number, row) for number, row in enumerate(rows)]
    found = [reordered(asked, 0) for asked in documents]
    assert not [each.left for each in found if each.left]
    for before, after in zip(documents, found, strict=True):
        changed = [
            line for line in after.document.prompt.splitlines() if line not in before.prompt.splitlines()
        ]
        assert len(after.document.prompt) == len(before.prompt)
        assert bool(changed) == (list(before.options.values()) != list(after.document.options.values()))
