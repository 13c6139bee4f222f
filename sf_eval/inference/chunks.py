"""How many frames the engine gives the vision tower at a time, and how many short prefixes the model."""

from __future__ import annotations

# Frames a tower call: bounds the activations, which grow with it. Halved when memory is short. Of pictures
# smaller than the published model's, as many as have the pixels of so many of those.
CHUNK_FRAMES = 16
_PUBLISHED_SIDE = 576


# A processor is fastest while what a call computes stays in its caches: the embedded model's tower takes 21%
# less time for 64 frames of 64 pixels at a time than for 128 (benchmarks/tower_chunks.py).
_PIXELS_ON_A_CPU = 64 * 64**2


def frames_at_once(side: int, device_type: str) -> int:
    """Frames of `side` pixels a tower call, while memory is not short.

    On a GPU they have the pixels of `CHUNK_FRAMES` frames of the published model; on a CPU fewer.

    Args:
        device_type: "cuda" or "cpu".
    """
    pixels = _PIXELS_ON_A_CPU if device_type == "cpu" else CHUNK_FRAMES * _PUBLISHED_SIDE**2
    return max(CHUNK_FRAMES, pixels // side**2)


PASS_TOKENS = 512
"""A pass over fewer tokens takes hardly less time."""


def prefixes_at_once(tokens: int) -> int:
    """Prefixes of so many tokens, each of another video, that a slow-fast model prefills in one pass."""
    return max(PASS_TOKENS // tokens, 1)
