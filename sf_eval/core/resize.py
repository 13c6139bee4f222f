"""A picture brought to the square that a vision tower sees.

Plain data and Pillow: what a model asks for is carried out where the pictures are decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError

BYTES_AT_ONCE = 300_000
"""Pictures are resized as many at a time as stay in a core's cache; a large one by itself."""


@dataclass(frozen=True)
class Resize:
    """How pictures are brought to one size.

    Attributes:
        size: side of the square in pixels.
        method: "published": bicubic resize of the shortest edge with Pillow's antialiasing, rounded to uint8;
            centre crop.

    Raises:
        UsageError: a size below one pixel, or an unknown method.
    """

    size: int
    method: Literal["published"] = "published"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"pictures cannot be resized to {self.size} pixels.", hint="Give at least 1.")
        if self.method != "published":
            raise UsageError(f"there is no way to resize called {self.method!r}.", hint="Use published.")

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB [H, W, 3] -> [size, size, 3]."""
        return centre_square(picture, self.size)

    def stack(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 RGB [T, H, W, 3] -> [T, size, size, 3]: each as by itself, and sooner."""
        at_once = max(BYTES_AT_ONCE // max(pictures[0].size, 1), 1)
        out = np.empty((len(pictures), self.size, self.size, 3), np.uint8)
        for first in range(0, len(pictures), at_once):
            out[first : first + at_once] = centre_squares(pictures[first : first + at_once], self.size)
        return out


def centre_square(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize the shortest edge of one frame [H, W, 3] to `size` and cut the middle square out."""
    from PIL import Image

    width, height = resized_shape(frame.shape[1], frame.shape[0], size)
    image = Image.fromarray(frame)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(image)[top : top + size, left : left + size]


def centre_squares(frames: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """`centre_square` of each of `frames` [T, H, W, 3], bit for bit: [T, size, size, 3].

    Pillow resizes along the rows, rounds to bytes, then along the columns. Each pass is called by itself
    here, on all pictures at once: one below the other for the first, side by side for the second. So neither
    computes all that the crop throws away, and a small picture is not most of all overhead.
    """
    count, rows, columns = frames.shape[:3]
    width, height = resized_shape(columns, rows, size)
    if rows > 2 * columns:  # of such tall ones Pillow 13 resizes the columns first
        return np.stack([centre_square(frame, size) for frame in frames])
    left, top = (width - size) // 2, (height - size) // 2
    first, last = _rows_that_matter(rows, height, top, size)
    below = np.ascontiguousarray(frames[:, first:last]).reshape(-1, columns, 3)
    narrow = _resized(below, width, len(below)).reshape(count, last - first, width, 3)
    # Rows that no wanted row is made of stay empty: the place of the others is what Pillow reckons with.
    beside = (np.empty if last - first == rows else np.zeros)((rows, count, size, 3), np.uint8)
    beside[first:last] = narrow[:, :, left : left + size].transpose(1, 0, 2, 3)
    short = _shortened(beside.reshape(rows, -1), height)[top : top + size]
    return np.ascontiguousarray(short.reshape(size, count, size, 3).transpose(1, 0, 2, 3))


def _rows_that_matter(rows: int, height: int, top: int, size: int) -> tuple[int, int]:
    """Which of `rows` the rows `top` to `top + size` of `height` are made of, and a few more."""
    scale = rows / height
    reach = 2 * max(scale, 1.0) + 1  # bicubic: two pixels of the coarser picture to either side
    return max(int(top * scale - reach), 0), min(int((top + size) * scale + reach) + 1, rows)


def _resized(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))


def _shortened(lines: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Resized along the columns alone: bytes [H, W] -> [height, W].

    Each column by itself: four bytes side by side are a pixel to Pillow, which takes them as they lie, where
    it would copy pixels of three bytes to such of four.
    """
    from PIL import Image

    if len(lines) == height:
        return lines
    mode, channels = ("L", 1) if lines.shape[1] % 4 else ("RGBX", 4)
    size = (lines.shape[1] // channels, len(lines))
    image = Image.frombuffer(mode, size, np.ascontiguousarray(lines), "raw", mode, 0, 1)
    return np.asarray(image.resize((size[0], height), Image.Resampling.BICUBIC)).reshape(height, -1)


def resized_shape(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height once the shortest edge is `size`; the longer one is rounded down."""
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size
