"""How one question ended."""

from __future__ import annotations

from enum import Enum


class Outcome(str, Enum):
    """How one question ended. Only `correct`, `partial`, `wrong` and `no_answer` enter an accuracy.

    `partial` is an open answer that earns a credit between 0 and 1 (WUPS). `no_answer` (the model spoke, but
    named no option; or it said nothing to an open question) counts as wrong. The failures lower the coverage
    instead. `unjudged` is an answer to a question whose truth is not public, `not_judged` one that only a
    judge can tell and that none was asked about: they are counted, and neither right nor wrong.

    `judge_error` is a failure too: the model answered, and the judge that was asked gave no verdict.
    """

    correct = "correct"
    partial = "partial"
    wrong = "wrong"
    no_answer = "no_answer"
    unjudged = "unjudged"
    not_judged = "not_judged"
    decode_error = "decode_error"
    missing_media = "missing_media"
    out_of_memory = "out_of_memory"
    timeout = "timeout"
    model_error = "model_error"
    worker_lost = "worker_lost"
    judge_error = "judge_error"

    @property
    def is_scored(self) -> bool:
        """Enters the accuracy (where the question's truth is known)."""
        return self in _SCORED

    @property
    def is_failure(self) -> bool:
        """It was never answered, or never judged though a judge was asked: it is listed, and tried again."""
        return self in _FAILURES


_SCORED = frozenset({Outcome.correct, Outcome.partial, Outcome.wrong, Outcome.no_answer})
_FAILURES = frozenset(Outcome) - _SCORED - {Outcome.unjudged, Outcome.not_judged}
