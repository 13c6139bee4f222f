"""The decoders of a run in one process, as its settings ask for them. Importing this imports no torch."""

from __future__ import annotations

from typing import TypedDict

from sf_eval.core.resize import Resize
from sf_eval.harness.settings import RunSettings
from sf_eval.video import ClipPool, SamplingRule


class _Decoding(TypedDict):
    resize: Resize | None
    backend: str
    timeout_s: float
    seek: bool


def clip_pool(
    settings: RunSettings,
    rule: SamplingRule,
    resize: Resize | None,
    *,
    decoders: int,
    helpers: int = 0,
    ahead: ClipPool | None = None,
) -> ClipPool:
    """A new pool, or `ahead` with at least so many decoders, where that decodes as `settings` ask.

    Args:
        decoders: processes; 0 decodes nothing ahead.
        helpers: as of `ClipPool`.
        ahead: closed here where it is not taken.
    """
    decoding: _Decoding = {
        "resize": resize,
        "backend": settings.video_backend,
        "timeout_s": settings.decode_timeout_s,
        "seek": settings.seek,
    }
    if ahead is not None:
        if decoders and ahead.decodes_as(rule, **decoding):
            ahead.grow(decoders, helpers)
            return ahead
        ahead.close()
    return ClipPool(rule, decoders=decoders, helpers=helpers, **decoding)
