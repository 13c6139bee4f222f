"""Frames as JPEGs in data URLs, as OpenAI-compatible servers take images."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray


def data_urls(frames: NDArray[np.uint8], *, quality: int, max_side: int) -> tuple[str, ...]:
    """One a frame.

    Args:
        frames: RGB [T, H, W, 3].
        quality: Pillow's, 1 to 95.
        max_side: larger frames are brought to this longer side in pixels, by Lanczos' filter.
    """
    return tuple(_data_url(frame, quality, max_side) for frame in frames)


def _data_url(frame: NDArray[np.uint8], quality: int, max_side: int) -> str:
    from PIL import Image

    image = Image.fromarray(frame)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    stream = io.BytesIO()
    image.save(stream, format="JPEG", quality=quality)
    return f"data:image/jpeg;base64,{base64.b64encode(stream.getvalue()).decode()}"
