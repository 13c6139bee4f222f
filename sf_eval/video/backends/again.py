"""A second attempt with one thread, where damage behind the wanted frames may have stopped the first.

FFmpeg reads ahead by as many packets as there are threads. So a decoder on a large machine meets damage that
one on a small machine does not, and which clips can be shown would depend on the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sf_eval.video.backends import Decoded
from sf_eval.video.errors import VideoError, VideoErrorReason
from sf_eval.video.types import VideoNote, VideoNoteKind


def with_one_thread_if_damaged(
    decode: Callable[[int | None], Decoded], *, threads: int | None = None
) -> Decoded:
    """What `decode` gives with `threads` (None: all), or else with one; the second is told in the notes.

    Raises:
        VideoError: of the second attempt; of the first where threads have no part in it.
    """
    try:
        return decode(threads)
    except VideoError as error:
        if error.reason is not VideoErrorReason.not_decodable or threads == 1:
            raise
        first = error
    decoded = decode(1)
    detail = f"decoded again with one thread, since with many: {first.detail}"
    return replace(decoded, notes=(*decoded.notes, VideoNote(VideoNoteKind.one_thread, detail)))
