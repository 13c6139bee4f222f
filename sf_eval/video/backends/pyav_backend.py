"""PyAV: the frames that decoding in order gives, as the published evaluation did.

They are reached by seeking where that is sure to give the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sf_eval.core.resize import Resize
from sf_eval.video.backends import Decoded
from sf_eval.video.backends.again import with_one_thread_if_damaged
from sf_eval.video.clock import clock_start_s
from sf_eval.video.container import open_video
from sf_eval.video.edit_list import hides_the_rest
from sf_eval.video.errors import ends_early
from sf_eval.video.pictures import PictureStack
from sf_eval.video.seeking import InOrderError, decode_by_seeking
from sf_eval.video.types import DecodeOptions, VideoNote, VideoNoteKind


class PyAVBackend:
    """Decodes what the wanted frames need, or every frame up to the last; converts only the wanted ones."""

    def decode(self, path: Path, indices: Sequence[int], options: DecodeOptions) -> Decoded:
        """See `Backend.decode`. Where seeking was asked for and is not done, a note says why."""
        notes: tuple[VideoNote, ...] = ()
        if options.seek:
            stack = PictureStack(path, len(indices), options.resize)
            try:
                times_s = decode_by_seeking(path, indices, stack, threads=options.threads)
                return Decoded(stack.first(len(indices)), tuple(times_s), resize_s=stack.resize_s)
            except InOrderError as error:
                notes = (VideoNote(VideoNoteKind.in_order, f"decoded in order: {error.reason.value}"),)
            del stack  # its pictures are of no use, and may be large
        decoded = with_one_thread_if_damaged(
            lambda threads: _in_order(path, indices, threads, options.resize), threads=options.threads
        )
        return replace(decoded, notes=notes + decoded.notes)


def _in_order(path: Path, indices: Sequence[int], threads: int | None, resize: Resize | None) -> Decoded:
    stack = PictureStack(path, len(indices), resize)
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
            stack.put_frame(len(times_s), position, frame)
            rate = float(stream.average_rate or 1)
            times_s.append(position / rate if frame.time is None else frame.time - start_s)
            if len(times_s) == len(indices):
                return Decoded(stack.first(len(times_s)), tuple(times_s), resize_s=stack.resize_s)
    if times_s and hides_the_rest(path, decoded):
        return Decoded(stack.first(len(times_s)), tuple(times_s), resize_s=stack.resize_s)
    raise ends_early(path, wanted=indices[len(times_s)], decoded=decoded, stated=stated)


BACKEND = PyAVBackend()
