"""Mistakes in what a model is asked."""

from __future__ import annotations

from sf_eval.core.errors import SfEvalError


class PromptError(SfEvalError):
    """A prompt and videos that do not belong together."""


class PromptTooLongError(PromptError):
    """A prompt that does not fit the model's context. Nothing is ever cut off."""


class RecordError(SfEvalError):
    """A recorded case that is missing, damaged or not in the documented format."""


class SlowPathError(SfEvalError):
    """A slow path that cannot be attached, or whose tokens would not be read as meant."""
