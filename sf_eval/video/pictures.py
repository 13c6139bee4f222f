"""Wanted pictures as they come out of a decoder, resized one by one: only one is held in full size."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.resize import Resize
from sf_eval.video.errors import size_change


class PictureStack:
    """Room for the pictures of one clip.

    Args:
        path: names the file in errors.
        count: how many pictures are wanted.
        resize: what is done to each; None leaves them as decoded.

    Attributes:
        resize_s: wall-clock seconds spent on resizing.
    """

    def __init__(self, path: Path, count: int, resize: Resize | None) -> None:
        self._path = path
        self._count = count
        self._resize = resize
        self._decoded_shape: tuple[int, ...] = ()
        self._pixels: NDArray[np.uint8] | None = None
        self.resize_s = 0.0

    def put(self, row: int, index: int, picture: NDArray[np.uint8]) -> None:
        """Take frame `index` [H, W, 3] as picture `row`.

        Raises:
            VideoError: it has another size than the one before.
        """
        if self._pixels is not None and picture.shape != self._decoded_shape:
            raise size_change(self._path, index)
        self._decoded_shape = picture.shape
        if self._resize is not None:
            started = time.perf_counter()
            picture = self._resize(picture)
            self.resize_s += time.perf_counter() - started
        if self._pixels is None:
            self._pixels = np.empty((self._count, *picture.shape), np.uint8)
        self._pixels[row] = picture

    def first(self, count: int) -> NDArray[np.uint8]:
        """The first `count` pictures, uint8 [count, H, W, 3]; at least one must have been put."""
        assert self._pixels is not None
        return self._pixels[:count]
