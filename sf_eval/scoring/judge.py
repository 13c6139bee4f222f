"""From a model's words to a typed outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sf_eval.benchmarks.document import Document
from sf_eval.scoring.answers.labels import read_labelled
from sf_eval.scoring.answers.reading import Reading
from sf_eval.scoring.outcome import Outcome


@dataclass(frozen=True)
class Verdict:
    """`reading` says which letter was read from the output, if any, and by which rule."""

    outcome: Outcome
    reading: Reading

    @property
    def answer(self) -> str | None:
        """The letter read from the output, None for none."""
        return self.reading.letter


def judge(document: Document, text: str, *, cut_off: bool = False) -> Verdict:
    """Read a letter from `text`, a model's own words, and compare.

    A document whose truth is not public is `unjudged`, whatever was answered: nobody here knows.

    Args:
        cut_off: the model was stopped by its token limit (`finish_reason` is "length").
    """
    return judge_words(text, document.options, document.answer, labels=document.labels, cut_off=cut_off)


def judge_words(
    text: str,
    options: Mapping[str, str],
    answer: str | None,
    *,
    labels: Mapping[str, str] | None = None,
    cut_off: bool = False,
) -> Verdict:
    """As `judge`, where only the options, their labels (`Document.labels`) and the right letter are known."""
    reading = read_labelled(text, options, labels, cut_off=cut_off)
    if answer is None:
        return Verdict(Outcome.unjudged, reading)
    if reading.letter is None:
        return Verdict(Outcome.no_answer, reading)
    return Verdict(Outcome.correct if reading.letter == answer else Outcome.wrong, reading)
