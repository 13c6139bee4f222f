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
    ["All of the above", "None of the above.", "both of the options", "Neither of these", "None of these",
     "The above are all wrong", "the above", "Both", "Neither of them"],
)  # fmt: skip
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
               "neither A nor B", "the first and second options",
               "Only C", "C only", "ONLY C.", "(a) only", "only a", "Not B", "not (a)", "A alone",
               "B is correct", "Same as A", "The same as (b)", "All except B", "A but not B",
               "both a and c", "a and b", "a, b and c", "either a or b", "both (a) and (b)", "(a) and (b)",
               "options a and b", "option a", "A, B", "A & B", "A/B", "Both 'A' and 'B'",
               "A and B are correct", "both 1 and 3", "1 and 2", "1, 2 and 3", "(1) and (2)",
               "options 1 and 2",
               "option b",
               "The first two options", "the first two", "first and second", "The first and the third",
               "The last two are right"],
)  # fmt: skip
def test_a_question_whose_options_name_each_other_is_left(option: str) -> None:
    asked = document("one", "two", option)
    found = reordered(asked, 3)
    assert (found.document, found.order) == (asked, "ABC")
    assert "names others" in found.left


@pytest.mark.parametrize(
    "option",
    ["A red cup", "Vitamin A and B12 pills", "A and the cat", "They both leave", "An A", "Above the door",
     "a cat and a dog", "both a man and a woman", "Only a few", "Not a dog", "Not A Dog", "Only A man",
     "a", "B", "Plan B only", "Team A and Team B", "same as a dog", "all but a dog", "an option a man has",
     "1 and a half", "1 and 12", "1 and 2 people", "1/2", "1+1", "2", "Only 2", "2, 1, 3",
     "the first two runners", "The first and second floor", "the last frame", "the other one", "Either side",
     "the above angle shot"],
)  # fmt: skip
def test_words_that_only_look_like_names_of_options_are_moved(option: str) -> None:
    orders = {
        reordered(document("one", "two", "three", option, name=str(number)), 0).order for number in range(30)
    }
    assert len({order.index("D") for order in orders}) == 4


def test_what_speaks_of_those_above_it_is_left_where_others_stand_below() -> None:
    asked = document("one", "two", "Both of the above", "three")
    found = reordered(asked, 0)
    assert (found.document, found.order) == (asked, "ABCD")
    assert "above" in found.left
    last = ("Both of the above", "None of the above")
    orders = {reordered(document("one", "two", *last, name=str(number)), 0).order for number in range(20)}
    assert orders == {"ABCD", "BACD"}


@pytest.mark.parametrize(
    "question",
    ["Which letter is on the cup, a and b?", "Is it the same as A?", "Is he not A man?", "1 and 2"],
)
def test_a_question_in_whose_words_letters_stand_is_not_one_about_options(question: str) -> None:
    assert not reordered(document("one", "two", question=question), 0).left


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
