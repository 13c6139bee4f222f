"""How many frames the engine gives the vision tower at a time."""

from __future__ import annotations

# Frames a tower call: bounds the activations, which grow with it. Halved when memory is short. Of pictures
# smaller than the published model's, as many as have the pixels of so many of those.
CHUNK_FRAMES = 16
_PUBLISHED_SIDE = 576


def frames_at_once(side: int) -> int:
    """Frames of `side` pixels a tower call, while memory is not short: with the pixels of `CHUNK_FRAMES`
    frames of the published model."""
    return max(CHUNK_FRAMES, CHUNK_FRAMES * _PUBLISHED_SIDE**2 // side**2)
