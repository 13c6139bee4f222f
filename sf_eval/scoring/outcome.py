"""How one question ended."""

from __future__ import annotations

from enum import Enum


class Outcome(str, Enum):
    """How one question ended. Only `correct`, `wrong` and `no_answer` enter an accuracy.

    `no_answer` (the model spoke, but named no option) counts as wrong. The failures lower the coverage
    instead. `unjudged` is an answer to a question whose truth is not public: it is counted, and neither
    right nor wrong.
    """

    correct = "correct"
    wrong = "wrong"
    no_answer = "no_answer"
    unjudged = "unjudged"
    decode_error = "decode_error"
    missing_media = "missing_media"
    out_of_memory = "out_of_memory"
    timeout = "timeout"
    model_error = "model_error"
    worker_lost = "worker_lost"

    @property
    def is_scored(self) -> bool:
        """Enters the accuracy (where the question's truth is known)."""
        return self in _SCORED

    @property
    def is_failure(self) -> bool:
        """The question was never answered: it is listed, and tried again on resume."""
        return self in _FAILURES


_SCORED = frozenset({Outcome.correct, Outcome.wrong, Outcome.no_answer})
_FAILURES = frozenset(Outcome) - _SCORED - {Outcome.unjudged}
