"""From a model's words to an outcome, whichever way its benchmark settles answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.scoring.answers.reading import Reading
from sf_eval.scoring.judge import judge_words
from sf_eval.scoring.open_answers.matching import matches
from sf_eval.scoring.open_answers.wups import Lexicon, same_words, wups
from sf_eval.scoring.outcome import Outcome

_WHOLE = 1 - 1e-12  # what is closer to 1 is rounding


@dataclass(frozen=True)
class Judgement:
    """What a judge said of an answer.

    Attributes:
        right: the verdict; None where it gave none.
        said: its own words, or what went wrong where there is no verdict.
    """

    right: bool | None
    said: str


@dataclass(frozen=True)
class Truth:
    """What an answer is held against.

    Attributes:
        options, letter: of a question that offers options, as in `Document`.
        references: the accepted answers of an open question.
        labels: what the prompt calls the options, as in `Document`.
    """

    options: Mapping[str, str]
    letter: str | None
    references: Sequence[str] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Settled:
    """How an answer ended.

    Attributes:
        credit: from 0 to 1, where the outcome enters the score; else None.
        reading: which letter was read and how; None for open questions.
        judgement: what a judge said, where one was asked.
    """

    outcome: Outcome
    credit: float | None = None
    reading: Reading | None = None
    judgement: Judgement | None = None

    @property
    def answer(self) -> str | None:
        """The letter that was read, None for none."""
        return None if self.reading is None else self.reading.letter


def truth_of(document: Document) -> Truth:
    return Truth(document.options, document.answer, document.references, document.categories, document.labels)


@dataclass(frozen=True)
class Settling:
    """How the answers to one benchmark's questions become outcomes.

    Attributes:
        lexicon: what WUPS takes words' likeness from; None for benchmarks that need none.
        judgements: of a judge, by the question's row; without one a judged benchmark's answers are
            `not_judged`.
    """

    benchmark: Benchmark
    lexicon: Lexicon | None = None
    judgements: Mapping[int, Judgement] = field(default_factory=dict)

    def settle(self, document: Document, text: str, *, cut_off: bool = False) -> Settled:
        """As `settle`, of a document whose judgement may be known."""
        return self.settle_words(
            truth_of(document), text, cut_off=cut_off, judgement=self.judgements.get(document.index)
        )

    def settle_words(
        self, truth: Truth, text: str, *, cut_off: bool = False, judgement: Judgement | None = None
    ) -> Settled:
        """The outcome of an answer.

        Args:
            cut_off: the model was stopped by its token limit (`finish_reason` is "length").
        """
        way = self.benchmark.settled_by
        if way == "letter" or not truth.references:
            verdict = judge_words(text, truth.options, truth.letter, labels=truth.labels, cut_off=cut_off)
            credit = float(verdict.outcome is Outcome.correct) if verdict.outcome.is_scored else None
            return Settled(verdict.outcome, credit, verdict.reading)
        if way == "judge":
            return _judged(judgement)
        if not text.strip():
            return Settled(Outcome.no_answer, 0.0)
        return _credited(self._credit(truth, text))

    def _credit(self, truth: Truth, text: str) -> float:
        if self.benchmark.settled_by == "match":
            return float(matches(text, truth.references))
        assert self.lexicon is not None  # `settling_of` gives one
        if any(truth.categories.get(name) in values for name, values in self.benchmark.matched.items()):
            return float(same_words(text, truth.references, self.lexicon))
        return wups(text, truth.references, self.lexicon)


def _credited(credit: float) -> Settled:
    if credit >= _WHOLE:
        return Settled(Outcome.correct, 1.0)
    return Settled(Outcome.partial, credit) if credit > 0 else Settled(Outcome.wrong, 0.0)


def _judged(judgement: Judgement | None) -> Settled:
    if judgement is None:
        return Settled(Outcome.not_judged)
    if judgement.right is None:
        return Settled(Outcome.judge_error, judgement=judgement)
    outcome = Outcome.correct if judgement.right else Outcome.wrong
    return Settled(outcome, float(judgement.right), judgement=judgement)
