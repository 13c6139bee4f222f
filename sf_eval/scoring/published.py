"""What the scorers behind the published numbers say of an output, with a random guess told apart."""

from __future__ import annotations

from enum import Enum

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.readers import RandomGuessError


class PublishedVerdict(str, Enum):
    """What a published scorer said.

    `random_guess`: it found no letter and drew one; we count it as wrong and say how many there were.
    `raises`: it ended in an exception; counted as wrong too.
    """

    correct = "correct"
    wrong = "wrong"
    random_guess = "random guess"
    raises = "raises"

    @property
    def is_correct(self) -> bool:
        return self is PublishedVerdict.correct


def published_score(benchmark: str, document: Document, output: str) -> PublishedVerdict | None:
    """The published scorer's verdict on `output`; None where no published scorer of the benchmark is known.

    Args:
        benchmark: the benchmark's name, e.g. "videomme_w_subtitle" or "mvbench_action_count".
        document: must have an answer.

    Raises:
        ValueError: a document without a public answer.
        UsageError: no such benchmark.
    """
    if document.answer is None:
        raise ValueError(f"question {document.id} of {benchmark} has no public answer to score against")
    reader = get_benchmark(benchmark).published_reader
    if reader is None:
        return None
    try:
        letter = reader(output, document.options)
    except RandomGuessError:
        return PublishedVerdict.random_guess
    except IndexError:  # MLVU's reader takes the first character of an empty text
        return PublishedVerdict.raises
    return PublishedVerdict.correct if letter == document.answer else PublishedVerdict.wrong


def counts_in_published_denominator(benchmark: str, output: str) -> bool:
    """False where the published average leaves the sample out."""
    return output != "" or not get_benchmark(benchmark).published_drops_empty
