"""How many frames the engine gives the vision tower at a time."""

from __future__ import annotations

from sf_eval.inference.engine import CHUNK_FRAMES

_PUBLISHED_SIDE = 576


def frames_at_once(side: int) -> int:
    """Frames of `side` pixels a tower call, while memory is not short: with the pixels of `CHUNK_FRAMES`
    frames of the published model."""
    return max(CHUNK_FRAMES, CHUNK_FRAMES * _PUBLISHED_SIDE**2 // side**2)
