"""Which of a file's video streams is the film.

A cover, a thumbnail or a track of previews may come first. Recorders do not always mark them as such: an mp4
written by FFmpeg even marks its first track as the default one, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_SERIOUS = 0.5  # with less than this share of the most pictures it is a thumbnail or a track of previews


@dataclass(frozen=True)
class _Candidate:
    """A video stream: its index in the container, its pictures, their area in pixels, and its mark."""

    index: int
    pictures: int
    area: int
    is_default: bool


def film_stream(container: Any, count_packets: Callable[[], Mapping[int, int]]) -> Any | None:
    """The open container's film: a video stream that can be decoded, if there is one; None without any.

    Of several, those with at least half as many pictures as the longest count; of these the one that alone is
    marked as the default, else the one with the most pictures, else the largest, else the first.

    Args:
        count_packets: packets by stream index; asked where several streams do not state their pictures.
    """
    streams = candidate_streams(container)
    if len(streams) <= 1:
        return streams[0] if streams else None
    if all(stream.frames > 0 for stream in streams):
        pictures: Mapping[int, int] = {stream.index: stream.frames for stream in streams}
    else:
        pictures = count_packets()
    film = _choose([_candidate(stream, pictures.get(stream.index, 0)) for stream in streams])
    return next(stream for stream in streams if stream.index == film.index)


def candidate_streams(container: Any) -> list[Any]:
    """The video streams that may be the film: no cover, and none without a decoder where others have one."""
    from av.stream import Disposition

    # An audio file's cover picture is a video stream too.
    streams = [each for each in container.streams.video if not each.disposition & Disposition.attached_pic]
    aside = Disposition.timed_thumbnails | Disposition.still_image
    films = [each for each in streams if not each.disposition & aside] or streams
    return [each for each in films if each.codec_context is not None] or films


def _choose(candidates: list[_Candidate]) -> _Candidate:
    most = max(each.pictures for each in candidates)
    serious = [each for each in candidates if each.pictures >= most * _SERIOUS]
    defaults = [each for each in serious if each.is_default]
    if len(defaults) == 1:
        return defaults[0]
    return max(serious, key=lambda each: (each.pictures, each.area, -each.index))


def _candidate(stream: Any, pictures: int) -> _Candidate:
    from av.stream import Disposition

    codec = stream.codec_context
    area = codec.width * codec.height if codec is not None else 0
    return _Candidate(stream.index, pictures, area, bool(stream.disposition & Disposition.default))
