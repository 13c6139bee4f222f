"""A failure's way through lmms-eval, which knows only texts.

The text starts with a control character that no tokenizer decodes to and no document may hold, so it
cannot be taken for an answer: our tasks turn it back into an outcome before anything is parsed.
"""

from __future__ import annotations

from sf_eval.inference import Failure, FailureKind

_MARK = "\x00sf-eval-failed:"


def to_text(failure: Failure) -> str:
    return f"{_MARK}{failure.kind.value}"


def from_text(text: str) -> FailureKind | None:
    """The failure that `text` stands for, or None for a model's own words."""
    return FailureKind(text.removeprefix(_MARK)) if text.startswith(_MARK) else None
