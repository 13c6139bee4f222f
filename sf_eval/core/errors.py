"""Errors a user can do something about.

`SfEvalError` is one clear line: what is wrong and what to do. The command line prints it and exits with
`exit_code`. Anything else that escapes is a defect of ours and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SfEvalError(Exception):
    """A problem the user can mend.

    Args:
        message: what is wrong, naming the file, flag or value.
        hint: what to do about it.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(SfEvalError):
    """A flag, name or combination of them that cannot be meant."""


class DataError(SfEvalError):
    """Annotations or media that are missing, damaged or not what the benchmark has."""


class CheckpointError(SfEvalError):
    """Weights or a configuration that do not make a slow-fast model."""


class OutputError(SfEvalError):
    """An output directory that cannot be written, is in use, or belongs to another run."""


def nearest(name: str, known: Iterable[str], *, count: int = 3) -> str:
    """A 'did you mean' clause for an unknown `name`, or the whole list where nothing is near."""
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return f"Known: {', '.join(names)}."
