"""What a container says of its video, read with PyAV whatever decodes the pictures.

One reader of facts means that every backend is asked for the same frames.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sf_eval.core.errors import UsageError
from sf_eval.video.errors import VideoError, VideoErrorReason
from sf_eval.video.matroska import missing_bytes
from sf_eval.video.types import VideoInfo

# Only these containers are opened. Playlists and concatenation scripts, which name further files to read,
# are not among them: a renamed one must not make us read outside the media folder.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,ogg,"
    "mpeg,mpegts,mpegvideo,m4v,h264,hevc,ivf,gif,nut,mxf,rm"
)
OPEN_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}
_COUNT_BY_DECODING = (".webm", ".mkv")


def check_file(path: Path) -> None:
    """Raise where there is nothing to open.

    Raises:
        VideoError: missing or empty.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise VideoError(path, VideoErrorReason.missing, "there is no such file") from error
    except OSError as error:
        detail = f"it cannot be read ({error.strerror})"
        raise VideoError(path, VideoErrorReason.not_decodable, detail) from error
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise VideoError(path, VideoErrorReason.empty, "the file has 0 bytes")


@contextmanager
def open_video(path: Path, *, threads: int = 0, **options: str) -> Iterator[tuple[Any, Any]]:
    """The open PyAV container and its first video stream.

    Args:
        threads: to decode with; 0 is as many as there are cores.
        options: of the demuxer, beside ours.

    Raises:
        VideoError: anything FFmpeg cannot do with the file, here or in the body of the `with`.
    """
    check_file(path)
    av = _import_av()
    what = "it is not a video file, or it is cut off"
    try:
        with av.open(str(path.absolute()), options={**options, **OPEN_OPTIONS}) as container:
            stream = _first_video_stream(path, container)
            stream.codec_context.thread_count = threads
            stream.thread_type = "NONE" if threads == 1 else "AUTO"
            what = "a part of it is damaged or missing"
            yield container, stream
    except av.error.FFmpegError as error:
        detail = f"{what} (FFmpeg says: {error.strerror})"
        raise VideoError(path, VideoErrorReason.not_decodable, detail) from error


def probe_file(path: Path) -> VideoInfo:
    """Read a video file's facts. Decodes it from end to end if its container states no reliable frame count.

    Raises:
        VideoError: the file is missing, empty, cut off, without a video stream or not decodable.
    """
    with open_video(path) as (container, stream):
        rate = stream.average_rate or stream.guessed_rate
        if not rate:
            raise VideoError(path, VideoErrorReason.not_decodable, "its frame rate is not known")
        codec = stream.codec_context
        width, height, codec_name = codec.width, codec.height, codec.name
        stated, duration = stream.frames, _duration_s(container, stream)
        matroska = "matroska" in container.format.name
    if matroska and (missing := missing_bytes(path)):
        detail = f"the last {missing} bytes of the file are missing"
        raise VideoError(path, VideoErrorReason.ends_early, detail)
    by_decoding = stated <= 0 or matroska or path.suffix.lower() in _COUNT_BY_DECODING
    frames = count_decoded(path) if by_decoding else stated
    if frames == 0:
        raise VideoError(path, VideoErrorReason.not_decodable, "it has no frames")
    return VideoInfo(path, frames, float(rate), duration or frames / float(rate), width, height, codec_name)


def count_decoded(path: Path) -> int:
    """How many frames come out of the decoder. Remembered for as long as the file stays as it is."""
    status = path.stat()
    return _count_decoded(path, status.st_size, status.st_mtime_ns)


def presentation_times(path: Path) -> list[float]:
    """Times of all frames in seconds since the first, in the order of presentation, without decoding.

    Raises:
        VideoError: the file cannot be read, or its packets carry no times.
    """
    with open_video(path) as (container, stream):
        # A trimmed mp4 keeps coded pictures that its edit list leaves out: they are decoded, but not shown.
        shown = (packet for packet in container.demux(stream) if not packet.is_discard)
        ticks = sorted(packet.pts for packet in shown if packet.pts is not None)
        base = float(stream.time_base or 0)
    if not ticks or not base:
        detail = "a span is wanted of a file whose frames have no times"
        raise VideoError(path, VideoErrorReason.unsupported, detail)
    return [(tick - ticks[0]) * base for tick in ticks]


@lru_cache(maxsize=256)
def _count_decoded(path: Path, size: int, modified_ns: int) -> int:  # noqa: ARG001 - part of the cache's key
    with open_video(path) as (container, stream):
        return sum(1 for _ in container.decode(stream))


def _first_video_stream(path: Path, container: Any) -> Any:
    from av.stream import Disposition

    for stream in container.streams.video:
        if (
            not stream.disposition & Disposition.attached_pic
        ):  # an audio file's cover picture is a video stream too
            return stream
    raise VideoError(path, VideoErrorReason.no_video_stream, "it has no video stream")


def _duration_s(container: Any, stream: Any) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return container.duration / 1_000_000 if container.duration else 0.0


def _import_av() -> Any:
    try:
        import av
    except ImportError as error:
        raise UsageError(
            "videos are read with PyAV, which is not installed.", hint="pip install av"
        ) from error
    return av
