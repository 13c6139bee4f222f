"""From a model's words, or its failure, to an outcome and to what `samples.jsonl` says of the reading."""

from __future__ import annotations

from pathlib import Path

import pytest

from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.harness import failed_text
from sf_eval.inference import Failure, FailureKind, QuestionKey
from sf_eval.scoring import Outcome
from sf_eval.scoring.answers.reading import Frame, Reading, Rule
from sf_eval.scoring.judge import judge

OPTIONS = {"A": "The man is cooking dinner", "B": "The man is washing dishes"}
KEY = QuestionKey("videomme", 0)
SCORING_PAGE = Path(__file__).resolve().parents[2] / "docs" / "scoring.md"


def document(answer: str | None) -> Document:
    return Document(0, "q", "v", MediaRef(("v.mp4",)), None, "What happens?", OPTIONS, answer, {}, "prompt")


@pytest.mark.parametrize(
    ("truth", "outcome"), [("B", Outcome.correct), ("A", Outcome.wrong), (None, Outcome.unjudged)]
)
def test_the_verdict_says_how_the_answer_was_read(truth: str | None, outcome: Outcome) -> None:
    verdict = judge(document(truth), "<think>A?</think>The answer is B.")
    assert (verdict.outcome, verdict.answer) == (outcome, "B")
    assert verdict.reading == Reading("B", Rule.after_cue, Frame.after_thought)


def test_what_the_token_limit_cut_off_may_have_been_a_list() -> None:
    said = f"A. {OPTIONS['A']}\n"
    assert judge(document("A"), said).outcome is Outcome.correct
    assert judge(document("A"), said, cut_off=True).outcome is Outcome.no_answer


def test_a_failure_is_told_from_every_word_of_a_model() -> None:
    """lmms-eval knows texts alone: our tasks take a failure out of its text before anything is read."""
    text = failed_text.to_text(Failure(KEY, FailureKind.DECODE_ERROR, "The answer is B."))
    assert failed_text.from_text(text) is FailureKind.DECODE_ERROR
    for said in ("The answer is B.", "", text[1:], f" {text}"):
        assert failed_text.from_text(said) is None


def test_the_page_lists_every_name_that_a_record_may_hold() -> None:
    page = SCORING_PAGE.read_text(encoding="utf-8").split("### Which rule read it")[1].split("\n## ")[0]
    for name in (*Rule, *Frame):
        assert name.value in page, name
