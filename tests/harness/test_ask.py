"""Asking, held to a stand-in for the engine: what is asked, what is kept, when it stops."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import pytest

from sf_eval.harness.ask import ask
from sf_eval.harness.asked.questions import write_questions
from sf_eval.harness.controls.conditions import Conditions
from sf_eval.harness.facts import documents_of
from sf_eval.harness.journal import Journal
from sf_eval.harness.plan import make_plan
from sf_eval.harness.settings import FailurePolicy, RunSettings, parse_limit
from sf_eval.harness.stopped import BrokenRunError, InterruptedRunError, TooManyFailuresError
from sf_eval.inference import Answer, Failure, FailureKind, Question, QuestionKey, Result, StageTimings
from sf_eval.video import WorkerStartError

TIMINGS = StageTimings(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1)
QUESTIONS = {
    f"digest {number}": Question(QuestionKey("videomme", number), None, f"What is {number}?", 16)
    for number in range(12)
}


class Questions:
    """Questions by digest, in an order of their own; each video has two of them."""

    def __init__(self, by_digest: Mapping[str, Question]) -> None:
        self.digests = list(by_digest)
        self._questions = list(by_digest.values())

    def key(self, position: int) -> QuestionKey:
        return self._questions[position].key

    def position(self, key: QuestionKey) -> int:
        return next(place for place, question in enumerate(self._questions) if question.key == key)

    def question(self, position: int) -> Question:
        return self._questions[position]

    def video(self, position: int) -> int:
        return position % (len(self.digests) // 2)

    def by_video(self) -> list[int]:
        return sorted(range(len(self.digests)), key=self.video)


class Engine:
    """Answers every question with its number; some fail, and an error may come after so many results."""

    def __init__(
        self,
        *,
        failing: Iterable[int] = (),
        ends_after: int | None = None,
        order: int = 0,
        by: type[BaseException] = KeyboardInterrupt,
    ) -> None:
        self.failing = set(failing)
        self.ends_after = ends_after
        self.by = by
        self.order = order
        self.asked: list[int] = []
        self.portions: list[list[int]] = []

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]:
        asked = list(questions)
        self.portions.append([question.key.index for question in asked])
        random.Random(self.order).shuffle(asked)
        for count, question in enumerate(asked):
            if count == self.ends_after:
                raise self.by
            self.asked.append(question.key.index)
            yield self._result(question)

    def _result(self, question: Question) -> Result:
        if question.key.index in self.failing:
            return Failure(question.key, FailureKind.TIMEOUT, "slow")
        words = str(question.key.index)
        return Answer(question.key, question.text(), words, 0, (), 9, 0, 0, 1, "stop", TIMINGS)


class Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[QuestionKey, bool]] = []

    def result(self, result: Result, *, resumed: bool) -> None:
        self.seen.append((result.key, resumed))


def asked(
    folder: Path,
    engine: Engine,
    failures: FailurePolicy = FailurePolicy(),  # noqa: B008
    questions=QUESTIONS,
    at_once: int | None = None,
):
    watcher = Watcher()
    with Journal(folder / "journal.jsonl") as journal:
        given = ask(
            Questions(questions), engine, journal, watcher=watcher, failures=failures, at_once=at_once
        )
    assert {key for key, _ in watcher.seen} <= set(given.results)
    return given


def test_every_question_has_one_result_in_whatever_order_they_come(tmp_path: Path) -> None:
    for order in range(3):
        given = asked(tmp_path / str(order), Engine(order=order))
        assert {key.index: result.text for key, result in given.results.items()} == {
            number: str(number) for number in range(12)
        }
        assert (given.resumed, given.stopped) == (0, None)


def test_an_engine_is_handed_whole_videos_a_few_questions_at_a_time(tmp_path: Path) -> None:
    engine = Engine()
    given = asked(tmp_path, engine, at_once=3)
    assert engine.portions == [[0, 6, 1, 7], [2, 8, 3, 9], [4, 10, 5, 11]]
    assert [result.text for result in given.results.values()] == [str(number) for number in range(12)]


def test_interruptions_at_any_point_ask_nothing_twice(tmp_path: Path) -> None:
    generator = random.Random(3)
    answered: list[int] = []
    while len(answered) < len(QUESTIONS):
        engine = Engine(ends_after=generator.randrange(4), order=len(answered))
        given = asked(tmp_path, engine)
        assert given.resumed == len(answered)
        answered += engine.asked
        assert len(given.results) == len(answered)
        if len(answered) < len(QUESTIONS):
            assert isinstance(given.stopped, InterruptedRunError)
            assert f"after {len(answered)} of 12 questions" in given.stopped.message
    assert sorted(answered) == list(range(12))
    last = Engine()
    assert asked(tmp_path, last).resumed == 12
    assert last.asked == []


def test_a_failed_question_is_tried_again_and_an_answered_one_is_not(tmp_path: Path) -> None:
    asked(tmp_path, Engine(failing=[3, 7]))
    again = Engine()
    given = asked(tmp_path, again)
    assert sorted(again.asked) == [3, 7]
    assert not any(isinstance(result, Failure) for result in given.results.values())


def test_a_stopped_run_keeps_the_failures_that_it_did_not_come_to(tmp_path: Path) -> None:
    first = asked(tmp_path, Engine(failing=[3, 7]))
    again = asked(tmp_path, Engine(ends_after=1))
    assert isinstance(again.stopped, InterruptedRunError)
    assert set(again.results) == set(first.results)  # nothing that had a result has none now
    kinds = [isinstance(result, Failure) for result in again.results.values()]
    assert sum(kinds) == 1


def test_a_decoder_that_does_not_start_ends_the_run_with_what_there_is(tmp_path: Path) -> None:
    given = asked(tmp_path, Engine(ends_after=4, by=WorkerStartError))
    assert isinstance(given.stopped, BrokenRunError)
    assert given.stopped.exit_code == 1
    assert "after 4 of 12 questions" in given.stopped.message
    assert str(tmp_path) in given.stopped.hint
    assert len(given.results) == 4


def test_a_defect_of_ours_keeps_its_traceback_and_the_answers(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        asked(tmp_path, Engine(ends_after=4, by=ZeroDivisionError))
    assert asked(tmp_path, Engine()).resumed == 4


def test_an_answer_follows_its_question_to_another_row(tmp_path: Path) -> None:
    asked(tmp_path, Engine())
    moved = {
        digest: Question(QuestionKey("videomme", 100 + question.key.index), None, question.text(), 16)
        for digest, question in QUESTIONS.items()
    }
    engine = Engine()
    given = asked(tmp_path, engine, questions=moved)
    assert engine.asked == []
    assert given.results[QuestionKey("videomme", 103)].text == "3"
    assert all(result.key == key for key, result in given.results.items())


@pytest.mark.parametrize(
    ("policy", "fails", "stops"),
    [
        (FailurePolicy(Fraction(0)), 1, True),
        (FailurePolicy(Fraction(2)), 2, False),
        (FailurePolicy(Fraction(2)), 3, True),
        (FailurePolicy(Fraction("0.25"), is_fraction=True), 3, False),
        (FailurePolicy(Fraction("0.25"), is_fraction=True), 4, True),
        (FailurePolicy(), 12, False),
    ],
)
def test_a_run_stops_once_more_fail_than_it_accepts(
    tmp_path: Path, policy: FailurePolicy, fails: int, stops: bool
) -> None:
    given = asked(tmp_path, Engine(failing=range(fails)), policy)
    assert isinstance(given.stopped, TooManyFailuresError) == stops
    if stops:
        assert sum(isinstance(result, Failure) for result in given.results.values()) == fails
        assert str(tmp_path) in given.stopped.hint


def test_questions_without_a_video_are_no_video_that_must_not_be_divided(tmp_path: Path) -> None:
    """A run without videos is asked a portion at a time, as any other."""
    plan = make_plan(
        RunSettings(
            "mini",
            "videomme",
            "mini",
            output=tmp_path,
            limit=parse_limit("9"),
            conditions=Conditions(control="blind"),
        )
    )
    table = write_questions(
        tmp_path / "questions.jsonl",
        zip(documents_of(plan), plan.questions(), strict=True),
        digest_of=lambda question: f"{question.key.index:064x}",
        make=plan.question,
    )
    engine = Engine()
    with Journal(tmp_path / "journal.jsonl") as journal:
        ask(table, engine, journal, watcher=Watcher(), failures=FailurePolicy(), at_once=4)
    assert [len(portion) for portion in engine.portions] == [4, 4, 1]
