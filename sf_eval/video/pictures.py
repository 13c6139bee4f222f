"""Wanted pictures as they come out of a decoder, resized a few at a time: no more are held in full size.

A picture that is the one before to the bit, as a slide's or a still's are, is not resized again.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.resize import BYTES_AT_ONCE, Resize
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
        self._converter: Any = None
        self._pixels: NDArray[np.uint8] | None = None  # [count, H, W, 3] as they will be handed out
        self._full: NDArray[np.uint8] | None = None  # full-size ones that wait for being resized
        self._waiting = 0  # so many of them
        self._rows: list[tuple[int, int]] = []  # each with which of those it shows, in the order of coming
        self._last_slot: int | None = None  # where the one before is, or was until it was resized
        self._last_row = 0  # its row
        self._decoded_shape: tuple[int, ...] = ()
        self.resize_s = 0.0

    def put_frame(self, row: int, index: int, frame: Any) -> None:
        """Take PyAV's frame `index` as picture `row`, in RGB.

        Raises:
            VideoError: it has another size than the one before.
        """
        if self._converter is None:
            from av.video.reformatter import VideoReformatter

            self._converter = VideoReformatter()  # a frame's own would be set up anew for each
        plane = self._converter.reformat(frame, format="rgb24").planes[0]
        height, width = frame.height, frame.width
        lines = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        self.put(row, index, lines[:height, : width * 3].reshape(height, width, 3))

    def put(self, row: int, index: int, picture: NDArray[np.uint8]) -> None:
        """Take frame `index` [H, W, 3] as picture `row`; it is copied.

        Raises:
            VideoError: it has another size than the one before.
        """
        if self._decoded_shape and picture.shape != self._decoded_shape:
            raise size_change(self._path, index)
        self._decoded_shape = picture.shape
        if self._resize is None:
            if self._pixels is None:
                self._pixels = np.empty((self._count, *picture.shape), np.uint8)
            self._pixels[row] = picture
            return
        if self._full is None:
            at_once = min(max(BYTES_AT_ONCE // picture.size, 1), self._count)
            self._full = np.empty((at_once, *picture.shape), np.uint8)
        if self._last_slot is None or not _equal(self._full[self._last_slot], picture):
            self._last_slot = self._waiting
            self._full[self._last_slot] = picture
            self._waiting += 1
        elif not self._waiting:  # it is resized already
            assert self._pixels is not None
            self._pixels[row] = self._pixels[self._last_row]
            return
        self._rows.append((row, self._last_slot))
        self._last_row = row
        if self._waiting == len(self._full):
            self._resize_waiting()

    def first(self, count: int) -> NDArray[np.uint8]:
        """The first `count` pictures, uint8 [count, H, W, 3]; at least one must have been put."""
        self._resize_waiting()
        assert self._pixels is not None
        return self._pixels[:count]

    def _resize_waiting(self) -> None:
        if self._resize is None or self._full is None or not self._waiting:
            return
        started = time.perf_counter()
        if self._pixels is None:
            side = self._resize.size
            self._pixels = np.empty((self._count, side, side, 3), np.uint8)
        resized = self._resize.stack(self._full[: self._waiting])
        for row, shows in self._rows:
            self._pixels[row] = resized[shows]
        self._rows.clear()
        self._waiting = 0
        self.resize_s += time.perf_counter() - started


def _equal(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two pictures [H, W, 3] are the same; of most that are not, a line tells."""
    middle = len(one) // 2
    return np.array_equal(one[middle], other[middle]) and np.array_equal(one, other)
