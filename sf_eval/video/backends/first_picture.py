"""What a decoder that opens the file itself must be told of, or checked against: seen with PyAV."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sf_eval.video.clock import clock_start_s
from sf_eval.video.container import open_video
from sf_eval.video.errors import VideoError, VideoErrorReason, ends_early, size_change
from sf_eval.video.film_stream import candidate_streams


@dataclass(frozen=True)
class FirstPicture:
    """The first picture of a file's film.

    Attributes:
        stream_index: of the film, counted over all streams of the container.
        size: (width, height) in pixels, as coded.
        rivals: sizes of the other video streams that are no covers.
        shown_at_s: seconds since the container's start.
        colorspace: ITU-T H.273 code of the colour matrix.
        rotation: of the display matrix, in degrees.
        is_rgb: its planes need no matrix.
    """

    stream_index: int
    size: tuple[int, int]
    rivals: tuple[tuple[int, int], ...]
    shown_at_s: float
    colorspace: int
    rotation: int
    is_rgb: bool


def first_picture(path: Path, last_wanted: int) -> FirstPicture:
    """Decode the first picture, and those up to frame `last_wanted` to see that they are of one size.

    Other decoders scale a picture of another size in silence. One thread, so that damage behind the last
    wanted frame is not met.

    Raises:
        VideoError: a part up to there cannot be decoded, there is no frame, or the sizes differ.
    """
    first = None
    with open_video(path, threads=1) as (container, stream):
        others = [each for each in candidate_streams(container) if each.index != stream.index]
        rivals = tuple((each.codec_context.width, each.codec_context.height) for each in others)
        for position, frame in enumerate(islice(container.decode(stream), last_wanted + 1)):
            if first is None:
                time_s = frame.time or 0.0
                first = FirstPicture(
                    stream_index=stream.index,
                    size=(frame.width, frame.height),
                    rivals=rivals,
                    shown_at_s=time_s - clock_start_s(container, time_s),
                    colorspace=frame.colorspace,
                    rotation=frame.rotation,
                    is_rgb=frame.format.is_rgb,
                )
            elif (frame.width, frame.height) != first.size:
                raise size_change(path, position)
    if first is None:
        raise ends_early(path, wanted=0, decoded=0, stated=0)
    return first


def unsupported(path: Path, detail: str) -> VideoError:
    """A backend would show the file otherwise than the published evaluation did."""
    return VideoError(path, VideoErrorReason.unsupported, f"{detail}; use pyav")
