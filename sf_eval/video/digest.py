"""A name for what was shown: two runs with the same digests showed the same frames, bit for bit."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def digest_of_pixels(pixels: NDArray[np.uint8]) -> str:
    """SHA-256 (64 hex digits) of uint8 [T, H, W, 3]: the shape as text ("8x384x384x3 "), then all bytes."""
    digest = hashlib.sha256(f"{'x'.join(map(str, pixels.shape))} ".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def digest_of_indices(indices: Sequence[int]) -> str:
    """SHA-256 (64 hex digits) of frame indices as text: "0,15,30"."""
    return hashlib.sha256(",".join(map(str, indices)).encode()).hexdigest()
