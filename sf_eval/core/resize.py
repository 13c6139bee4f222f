"""A picture brought to the square that a vision tower sees.

Plain data and Pillow: what a model asks for is carried out where the pictures are decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError


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


def centre_square(frame: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Resize the shortest edge of one frame [H, W, 3] to `size` and cut the middle square out."""
    from PIL import Image

    width, height = resized_shape(frame.shape[1], frame.shape[0], size)
    image = Image.fromarray(frame)
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    left, top = (width - size) // 2, (height - size) // 2
    return np.asarray(image)[top : top + size, left : left + size]


def resized_shape(width: int, height: int, size: int) -> tuple[int, int]:
    """Width and height once the shortest edge is `size`; the longer one is rounded down."""
    if width <= height:
        return size, int(size * height / width)
    return int(size * width / height), size
