"""Why a run ended before its end."""

from __future__ import annotations

from sf_eval.core.errors import SfEvalError


class StoppedError(SfEvalError):
    """The run ended before its end; what was answered is in the journal."""


class TooManyFailuresError(StoppedError):
    """`--fail-on-error` was exceeded."""

    exit_code = 1


class BrokenRunError(StoppedError):
    """No further question can be answered: the GPU was lost, or no decoder starts."""

    exit_code = 1


class InterruptedRunError(StoppedError):
    """Ctrl-C."""

    exit_code = 130
