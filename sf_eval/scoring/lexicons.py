"""Which lexicon a benchmark's answers are settled with, found before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping

from sf_eval.benchmarks.document import Benchmark
from sf_eval.editions import words
from sf_eval.scoring.open_answers.taxonomy import Taxonomy
from sf_eval.scoring.open_answers.wordnet import wordnet
from sf_eval.scoring.open_answers.wups import Lexicon
from sf_eval.scoring.settling import Judgement, Settling

MINI = Taxonomy("the mini editions' own few words (not WordNet)", words.PARENTS, words.FORMS)


def settling_of(
    benchmark: Benchmark, *, is_mini: bool, judgements: Mapping[int, Judgement] | None = None
) -> Settling:
    """How answers to `benchmark` become outcomes, with what that takes.

    Args:
        is_mini: its questions are a mini edition's: their words' likeness is the edition's own, everywhere.

    Raises:
        DataError: WUPS needs WordNet, and it is not here.
    """
    return Settling(benchmark, lexicon_of(benchmark, is_mini=is_mini), judgements or {})


def lexicon_of(benchmark: Benchmark, *, is_mini: bool) -> Lexicon | None:
    """None for a benchmark that needs none.

    Raises:
        DataError: as `settling_of`.
    """
    if benchmark.settled_by != "wups":
        return None
    return MINI if is_mini else wordnet()
