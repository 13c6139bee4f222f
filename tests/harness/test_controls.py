"""What a control asks: another video for each, the most frequent letter; published places in a submission."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.core.cards import load_card
from sf_eval.core.errors import UsageError
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.harness.controls.asking import asked_under, other_videos
from sf_eval.harness.controls.choice import most_frequent_answers, most_frequent_letters
from sf_eval.harness.controls.conditions import Conditions
from sf_eval.harness.controls.record import ChangeRecord, ConditionsRecord
from sf_eval.harness.controls.taking import that_can_be_asked
from sf_eval.harness.record import RunState, TaskFacts
from sf_eval.harness.recorded.samples import QuestionRecord, SampleRecord
from sf_eval.harness.recorded.submission import write_submission
from sf_eval.harness.settings import RunSettings


@given(st.sets(st.text("abc", min_size=1, max_size=4), min_size=2), st.integers(0, 9))
def test_every_video_is_shown_once_and_none_its_own(names: set[str], seed: int) -> None:
    videos = [(name,) for name in names]
    other = other_videos(videos, seed)
    assert sorted(other) == sorted(other.values()) == sorted(videos)
    assert all(shown != own for own, shown in other.items())
    assert other == other_videos(videos[::-1], seed)


def test_another_video_comes_with_its_own_subtitles_and_where_it_begins_in_them() -> None:
    documents = [
        replace(
            question(row, "AB", "A"), video_id=name, media=MediaRef((f"{name}.mp4",)),
            subtitles=f"{name}.json", subtitles_from_s=from_s, duration_s=length_s,
        )
        for row, (name, from_s, length_s) in enumerate([("a", 0.0, 10.0), ("b", 100.0, 600.0)])
    ]  # fmt: skip
    opened = open_benchmark(get_benchmark("longvideobench_interleaved"), parse_source("mini"))
    asked = asked_under(replace(opened, documents=documents), Conditions(control="shuffled"))
    shown = [
        (each.media.candidates[0], each.subtitles, each.subtitles_from_s, each.duration_s)
        for each in asked.opened.documents
    ]
    assert shown == [("b.mp4", "b.json", 100.0, 600.0), ("a.mp4", "a.json", 0.0, 10.0)]


def test_one_video_has_no_other() -> None:
    with pytest.raises(UsageError, match="two videos or more"):
        other_videos([("a.mp4",)], 0)


def question(index: int, letters: str, answer: str | None) -> Document:
    return Document(
        index=index, id=str(index), video_id="v", media=MediaRef(("v.mp4",)), subtitles=None, question="?",
        options={letter: letter.lower() for letter in letters}, answer=answer, categories={}, prompt="?",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "letters"),
    [
        ([("ABCD", "B"), ("ABCD", "B"), ("ABCD", "D")], "BBB"),
        ([("ABCD", "D"), ("ABCD", "B")], "BB"),  # as often: the first
        ([("ABCD", "D"), ("ABCD", "D"), ("ABC", "C"), ("AB", "A")], "DDAA"),  # the best that it has
        ([("ABC", None), ("ABC", None)], "AA"),
    ],
)
def test_the_most_frequent_right_letter(asked: list[tuple[str, str | None]], letters: str) -> None:
    documents = [question(index, *each) for index, each in enumerate(asked)]
    assert "".join(most_frequent_letters(documents).values()) == letters


def test_the_most_frequent_answer_is_given_in_the_words_that_were_shown() -> None:
    """A lone letter is no answer to a question that is asked without letters."""
    lettered = question(0, "AB", "B")
    nameless = replace(question(1, "AB", "B"), options={"A": "yes", "B": "no"}, labels={"A": "", "B": ""})
    numbered = replace(question(2, "AB", "B"), labels={"A": "Option 1", "B": "Option 2"})
    assert most_frequent_answers([lettered, nameless, numbered]) == {0: "B", 1: "no", 2: "Option 2"}


@pytest.mark.parametrize(
    ("card", "task", "control", "says"),
    [
        ("qwen2.5-vl-7b", "longvideobench_interleaved", None, "takes no text between the frames"),
        ("mini", "activitynetqa", "choice", "questions without options"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name_and_left_out_of_all(
    card: str, task: str, control: str | None, says: str
) -> None:
    benchmarks = [get_benchmark("videomme"), get_benchmark(task)]
    conditions = Conditions(control=control)  # type: ignore[arg-type]
    settings = RunSettings(model=card, tasks=f"videomme,{task}", data="mini", conditions=conditions)
    with pytest.raises(UsageError, match=says):
        that_can_be_asked(benchmarks, load_card(card), settings)
    kept, notes = that_can_be_asked(benchmarks, load_card(card), replace(settings, tasks="all"))
    assert kept == [get_benchmark("videomme")]
    assert notes[0].startswith("Left out: ")
    assert task in notes[0]


def sample(answer: str | None, order: str | None) -> SampleRecord:
    change = None if order is None else ChangeRecord(options_order=order)
    return SampleRecord(
        task="egoschema", data="d", doc_id=0, question_id=f"q-{answer}-{order}", video="v", categories={},
        prompt="?",
        options={}, target=None, answer=answer, outcome="unjudged", change=change,
    )  # fmt: skip


def test_a_submission_has_published_places_and_says_what_it_is_of(tmp_path: Path) -> None:
    facts = TaskFacts(
        task="egoschema", data="d", is_mini=False, revision=None, annotations_digest="", questions_total=3,
        questions_planned=3, one_question_per_video=False,
    )  # fmt: skip
    samples = [sample("A", "CABDE"), sample("E", None), sample(None, "CABDE")]
    shuffled = ConditionsRecord(control="shuffled", options="shuffled")
    name = write_submission(facts, samples, tmp_path, conditions=shuffled, complete=True)
    assert name == "submission_egoschema_shuffled_options_shuffled.json"
    assert list(json.loads((tmp_path / name).read_text()).values()) == [2, 4, -1]
    assert write_submission(facts, samples, tmp_path, conditions=ConditionsRecord(), complete=True) == (
        "submission_egoschema.json"
    )


def test_records_of_earlier_versions_are_read_as_plain_runs() -> None:
    old = sample("A", None).model_dump() | {"schema_version": 3}
    del old["change"]
    assert SampleRecord.model_validate(old).change is None
    line = {"schema_version": 1, "task": "t", "digest": "d", "document": {}, "kind": None}
    assert QuestionRecord.model_validate(line).change is None
    assert (
        RunState.model_validate({"schema_version": 2, "plan": {}, "complete": True, "facts": None}).plan == {}
    )
    assert ConditionsRecord().is_plain
