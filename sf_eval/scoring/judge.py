"""From a model's words to a typed outcome."""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.benchmarks.document import Document
from sf_eval.scoring.answers.extract import extract_answer
from sf_eval.scoring.outcome import Outcome


@dataclass(frozen=True)
class Verdict:
    """`answer` is the letter read from the output, None for none."""

    outcome: Outcome
    answer: str | None


def judge(document: Document, text: str) -> Verdict:
    """Read a letter from `text`, a model's own words, and compare.

    A document whose truth is not public is `unjudged`, whatever was answered: nobody here knows.
    """
    answer = extract_answer(text, document.options)
    if document.answer is None:
        return Verdict(Outcome.unjudged, answer)
    if answer is None:
        return Verdict(Outcome.no_answer, None)
    return Verdict(Outcome.correct if answer == document.answer else Outcome.wrong, answer)
