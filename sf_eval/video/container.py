"""What a container says of its video, read with PyAV whatever decodes the pictures.

One reader of facts means that every backend is asked for the same frames.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sf_eval.core.errors import UsageError
from sf_eval.video.clock import agree, measured_rate, picture_times
from sf_eval.video.errors import VideoError, VideoErrorReason
from sf_eval.video.film_stream import film_stream
from sf_eval.video.matroska import missing_bytes
from sf_eval.video.types import VideoInfo, VideoNote, VideoNoteKind

# Only these containers are opened. Playlists and concatenation scripts, which name further files to read,
# are not among them: a renamed one must not make us read outside the media folder.
_CONTAINERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,flv,asf,ogg,"
    "mpeg,mpegts,mpegvideo,m4v,h264,hevc,ivf,gif,nut,mxf,rm,dv"
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


@dataclass(frozen=True)
class Scan:
    """What came out when a file was decoded from end to end.

    Attributes:
        frames: how many there are.
        size_changes_at: the first frame of another size than the one before it, None where all are alike.
    """

    frames: int
    size_changes_at: int | None


@dataclass
class _OpenFile:
    """A file that was opened and looked at, while nothing was read of its packets: as just opened."""

    key: tuple[Any, ...] = ()
    container: Any = None

    def take(self, key: tuple[Any, ...]) -> Any | None:
        """The container, whose closing is the caller's business from now on; None of another file."""
        if self.key != key:
            return None
        container, self.container, self.key = self.container, None, ()
        return container

    def close(self) -> None:
        if self.container is not None:
            self.container.close()
        self.container, self.key = None, ()


_open_file: ContextVar[_OpenFile | None] = ContextVar("_open_file", default=None)


@contextmanager
def files_stay_open() -> Iterator[None]:
    """Within it, a file whose facts were read stays open for whoever opens it next.

    To open a file takes FFmpeg as long as to decode dozens of small pictures: it reads ahead to find out what
    the streams are.
    """
    kept = _OpenFile()
    token = _open_file.set(kept)
    try:
        yield
    finally:
        _open_file.reset(token)
        kept.close()


@contextmanager
def open_video(
    path: Path, *, threads: int | None = None, facts_only: bool = False, **options: str
) -> Iterator[tuple[Any, Any]]:
    """The open PyAV container and its film (`film_stream`).

    Args:
        facts_only: no packet is read of it: then it may stay open (`files_stay_open`).
        threads: that decode; all cores where None. FFmpeg hands out a frame only when as many packets as
            there are threads are read: with one, damage behind a frame does not reach it.
        options: of the demuxer, beside ours.

    Raises:
        VideoError: anything FFmpeg cannot do with the file, here or in the body of the `with`.
    """
    check_file(path)
    av = _import_av()
    what = "it is not a video file, or it is cut off"
    kept, key = _open_file.get(), _identity(path)
    try:
        container = kept.take(key) if kept is not None and not options else None
        with ExitStack() as closing:
            container = closing.enter_context(container or _open_container(path, options))
            stream = _film_of(path, container)
            if threads is not None:
                stream.codec_context.thread_count = threads
            stream.thread_type = "AUTO"
            what = "a part of it is damaged or missing"
            yield container, stream
            if kept is not None and facts_only and threads is None and not options:
                closing.pop_all()
                kept.close()
                kept.key, kept.container = key, container
    except av.error.FFmpegError as error:
        detail = f"{what} (FFmpeg says: {error.strerror})"
        raise VideoError(path, VideoErrorReason.not_decodable, detail) from error


def _identity(path: Path) -> tuple[Any, ...]:
    status = path.stat()
    return path.absolute(), status.st_ino, status.st_size, status.st_mtime_ns


def probe_file(path: Path, *, count: Callable[[Path], int] | None = None) -> VideoInfo:
    """Read a video file's facts.

    Args:
        count: tells how many frames can be decoded, where the container states no reliable number; None
            decodes the file from end to end (`count_decoded`).

    Raises:
        VideoError: the file is missing, empty, cut off, without a video stream or not decodable.
    """
    with open_video(path, facts_only=True) as (container, stream):
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        codec = stream.codec_context
        width, height, codec_name = codec.width, codec.height, codec.name
        stated, duration = stream.frames, _duration_s(container, stream)
        matroska = "matroska" in container.format.name
        notes = _note_of_stream(container, stream)
    if matroska and (missing := missing_bytes(path)):
        detail = f"the last {missing} bytes of the file are missing"
        raise VideoError(path, VideoErrorReason.ends_early, detail)
    by_decoding = stated <= 0 or matroska or path.suffix.lower() in _COUNT_BY_DECODING
    frames = (count or count_decoded)(path) if by_decoding else stated
    if frames == 0:
        raise VideoError(path, VideoErrorReason.not_decodable, "it has no frames")
    # Times are read where the rate is in doubt, and of a file that was decoded from end to end anyhow.
    if by_decoding or not rate or not agree(frames / rate, duration):
        rate, notes = _true_rate(path, frames, rate, notes)
    if not rate:
        raise VideoError(path, VideoErrorReason.not_decodable, "its frame rate is not known")
    return VideoInfo(path, frames, rate, duration or frames / rate, width, height, codec_name, notes)


def scan(path: Path) -> Scan:
    """Decode the whole file. Remembered for as long as it stays as it is.

    Raises:
        VideoError: a part of it cannot be decoded.
    """
    status = path.stat()
    return _scan(path, status.st_size, status.st_mtime_ns)


def count_decoded(path: Path) -> int:
    """How many frames come out of the decoder; raises as `scan`."""
    return scan(path).frames


def presentation_times(path: Path) -> list[float]:
    """Times of all frames in seconds since the file's start, in the order of presentation, without decoding.

    Raises:
        VideoError: the file cannot be read, or its packets carry no times.
    """
    with open_video(path) as (container, stream):
        times_s = picture_times(container, stream).times_s
    if not times_s:
        detail = "a span is wanted of a file whose frames have no times"
        raise VideoError(path, VideoErrorReason.unsupported, detail)
    return list(times_s)


@lru_cache(maxsize=256)
def _scan(path: Path, size: int, modified_ns: int) -> Scan:  # noqa: ARG001 - part of the cache's key
    frames, changes_at, shape = 0, None, None
    with open_video(path) as (container, stream):
        for frame in container.decode(stream):
            if changes_at is None and shape not in (None, (frame.width, frame.height)):
                changes_at = frames
            shape = (frame.width, frame.height)
            frames += 1
    return Scan(frames, changes_at)


def _true_rate(
    path: Path, frames: int, stated: float, notes: tuple[VideoNote, ...]
) -> tuple[float, tuple[VideoNote, ...]]:
    """The stated rate, or the measured one and a note of it where the two differ by more than a little."""
    try:
        with open_video(path) as (container, stream):
            measured = measured_rate(picture_times(container, stream), frames)
    except VideoError:  # damage that the wanted frames may not meet
        measured = None
    if measured is None or (stated and agree(measured, stated)):
        return stated, notes
    claim = f"it states {stated:.6g} frames per second" if stated else "it states no frame rate"
    detail = f"{claim}, its {frames} pictures are shown at {measured:.6g}: sampled at that rate"
    return measured, (*notes, VideoNote(VideoNoteKind.measured_rate, detail))


def _open_container(path: Path, options: Mapping[str, str]) -> Any:
    # Not `options=`: PyAV hands those to the streams too, in an array as long as the streams known before
    # their packets are read. FLV, MPEG-PS and MPEG-TS tell theirs later: FFmpeg then reads behind its end.
    return _import_av().open(str(path.absolute()), container_options={**options, **OPEN_OPTIONS})


def _film_of(path: Path, container: Any) -> Any:
    status = path.stat()
    stream = film_stream(container, lambda: _packets(path, status.st_size, status.st_mtime_ns))
    if stream is None:
        raise VideoError(path, VideoErrorReason.no_video_stream, "it has no video stream")
    if stream.codec_context is None:
        raise VideoError(path, VideoErrorReason.not_decodable, "there is no decoder for its video stream")
    return stream


@lru_cache(maxsize=256)
def _packets(path: Path, size: int, modified_ns: int) -> Mapping[int, int]:  # noqa: ARG001 - the cache's key
    """How many packets each video stream has; of a damaged file, those before the damage."""
    counts: Counter[int] = Counter()
    with _open_container(path, {}) as container, suppress(_import_av().error.FFmpegError):
        for packet in container.demux(container.streams.video):
            counts[packet.stream.index] += bool(packet.size)
    return counts


def _note_of_stream(container: Any, stream: Any) -> tuple[VideoNote, ...]:
    """A note where who takes the first video stream, as the published evaluation did, sees another one."""
    first = container.streams.video[0]
    if first.index == stream.index:
        return ()
    detail = f"the film is stream {stream.index}; stream {first.index} is a cover, a thumbnail or the like"
    return (VideoNote(VideoNoteKind.film_stream, detail),)


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
