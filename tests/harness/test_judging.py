"""Results are judged as they come, for whoever watches."""

from __future__ import annotations

import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.harness.judging import Judging
from sf_eval.inference import Answer, Failure, FailureKind, QuestionKey, Result, StageTimings
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.settling import Settling

KEY, UNKNOWN = QuestionKey("videomme", 0), QuestionKey("videomme", 1)
SETTLINGS = {"videomme": Settling(get_benchmark("videomme"))}


def document(truth: str | None) -> Document:
    options = {"A": "Red", "B": "Blue"}
    return Document(0, "id", "video", MediaRef(("a.mp4",)), None, "Which?", options, truth, {}, "Which?")


class Watcher:
    def __init__(self) -> None:
        self.seen: list[tuple[Result, bool, Outcome, str]] = []

    def result(
        self, result: Result, *, resumed: bool, outcome: Outcome, video: str, credit: float | None
    ) -> None:
        self.seen.append((result, resumed, outcome, video))


def answer(words: str, *, key: QuestionKey = KEY, finish_reason: str = "stop") -> Answer:
    timings = StageTimings(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 1)
    return Answer(key, "Which?", words, 0, (), 9, 0, 0, 1, finish_reason, timings)


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (answer("B"), Outcome.correct),
        (answer("A"), Outcome.wrong),
        (answer("I cannot tell."), Outcome.no_answer),
        (answer("A. Red\nB. Bl", finish_reason="length"), Outcome.no_answer),
        (answer("B", key=UNKNOWN), Outcome.unjudged),
        (Failure(KEY, FailureKind.OUT_OF_MEMORY, "too large"), Outcome.out_of_memory),
    ],
)
@pytest.mark.parametrize("resumed", [False, True])
def test_whoever_watches_is_told_the_outcome(result: Result, outcome: Outcome, resumed: bool) -> None:
    watcher = Watcher()
    documents = {KEY: document("B"), UNKNOWN: document(None)}
    Judging(documents.get, SETTLINGS, watcher).result(result, resumed=resumed)
    assert watcher.seen == [(result, resumed, outcome, "video")]


def test_every_kind_of_failure_is_an_outcome() -> None:
    for kind in FailureKind:
        watcher = Watcher()
        Judging({}.get, SETTLINGS, watcher).result(Failure(KEY, kind, "why"), resumed=False)
        ((_, _, outcome, _),) = watcher.seen
        assert outcome.is_failure
