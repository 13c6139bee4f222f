"""A failure's way through lmms-eval, which knows only texts.

The text is a mark of ours behind a NUL character, which no document may hold and no model says before this
very mark: our tasks turn it back into an outcome before anything is parsed.
"""

from __future__ import annotations

from sf_eval.inference import Failure, FailureKind

_MARK = "\x00sf-eval-failed:"


def to_text(failure: Failure) -> str:
    return f"{_MARK}{failure.kind.value}"


def from_text(text: str) -> FailureKind | None:
    """The failure that `text` stands for, or None for a model's own words."""
    return FailureKind(text.removeprefix(_MARK)) if text.startswith(_MARK) else None
