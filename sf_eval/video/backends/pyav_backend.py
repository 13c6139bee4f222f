"""PyAV: in order from the first frame to the last wanted one, as the published evaluation did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sf_eval.video.backends import Decoded
from sf_eval.video.backends.again import with_one_thread_if_damaged
from sf_eval.video.clock import clock_start_s
from sf_eval.video.container import open_video
from sf_eval.video.edit_list import hides_the_rest
from sf_eval.video.errors import ends_early, size_change


class PyAVBackend:
    """Decodes every frame up to the last wanted one and converts only the wanted ones."""

    def decode(self, path: Path, indices: Sequence[int]) -> Decoded:
        """See `Backend.decode`."""
        return with_one_thread_if_damaged(lambda threads: self._in_order(path, indices, threads))

    def _in_order(self, path: Path, indices: Sequence[int], threads: int | None) -> Decoded:
        pixels: NDArray[np.uint8] | None = None
        times_s: list[float] = []
        start_s = 0.0
        decoded = 0
        with open_video(path, threads=threads) as (container, stream):
            stated = stream.frames
            for position, frame in enumerate(container.decode(stream)):
                decoded = position + 1
                if position == 0:
                    start_s = clock_start_s(container, frame.time or 0.0)
                if position != indices[len(times_s)]:
                    continue
                picture = frame.to_ndarray(format="rgb24")  # [H, W, 3]
                if pixels is None:
                    pixels = np.empty((len(indices), *picture.shape), np.uint8)
                elif picture.shape != pixels.shape[1:]:
                    raise size_change(path, position)
                pixels[len(times_s)] = picture
                rate = float(stream.average_rate or 1)
                times_s.append(position / rate if frame.time is None else frame.time - start_s)
                if len(times_s) == len(indices):
                    return Decoded(pixels, tuple(times_s))
        if pixels is not None and hides_the_rest(path, decoded):
            return Decoded(pixels[: len(times_s)], tuple(times_s))
        raise ends_early(path, wanted=indices[len(times_s)], decoded=decoded, stated=stated)


BACKEND = PyAVBackend()
