"""From a clip and a rule to frames, in this process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sf_eval.video.backends import Decoded, check_backend, get_backend
from sf_eval.video.container import (
    count_decoded,
    files_stay_open,
    presentation_times,
    probe_file,
    scan,
)
from sf_eval.video.digest import digest_of_pixels
from sf_eval.video.edit_list import hides_the_rest
from sf_eval.video.errors import VideoError, VideoErrorReason, ends_early, size_change
from sf_eval.video.folder import check_folder, probe_folder, read_folder
from sf_eval.video.sampling import rule_indices, span_indices
from sf_eval.video.types import Clip, ClipPlan, DecodeOptions, Frames, SamplingRule, VideoInfo

_USUAL = DecodeOptions()


def probe(
    path: Path, *, backend: str = "pyav", fps: float | None = None, options: DecodeOptions = _USUAL
) -> VideoInfo:
    """Facts of a video file or a folder of frames; the same whatever the backend.

    The frames of webm and mkv are counted once per process: by their packets, or by decoding them all where
    that is not certain or `options` forbid seeking.

    Args:
        fps: rate of a folder of frames in frames per second, 3 where None.

    Raises:
        VideoError: there is nothing to show.
        UsageError: the backend is not installed.
    """
    check_backend(backend)
    path = Path(path)
    if path.is_dir():
        return probe_folder(path, fps)
    return probe_file(path, count=lambda file: _count(file, options))


def read_frames(
    path: Path, indices: Sequence[int], *, backend: str = "pyav", options: DecodeOptions = _USUAL
) -> NDArray[np.uint8]:
    """The decoded frames at `indices` (any order, repeats allowed), uint8 [T, H, W, 3], RGB.

    Raises:
        VideoError: the file cannot be decoded, a frame does not exist, or an index is negative.
        UsageError: the backend is not installed.
    """
    check_backend(backend)
    wanted = sorted({int(index) for index in indices})
    if not wanted:
        return np.empty((0, 0, 0, 3), np.uint8)
    pixels = _decode(Path(path), wanted, backend, options).pixels
    if len(pixels) < len(wanted):
        detail = f"frame {wanted[len(pixels)]} (counted from 0) is wanted, but the file's edit list hides it"
        raise VideoError(Path(path), VideoErrorReason.ends_early, detail)
    if list(indices) == wanted:
        return pixels
    rows = {index: row for row, index in enumerate(wanted)}
    return pixels[[rows[int(index)] for index in indices]]


def plan_clip(
    clip: Clip, rule: SamplingRule, *, options: DecodeOptions = _USUAL
) -> tuple[VideoInfo, list[int]]:
    """The clip's facts and the indices that `rule` wants of it, without decoding pictures.

    With `start_s` or `end_s` the rule is applied to the frames of that span as if they were the whole video;
    indices still count from the start of the file.

    Raises:
        VideoError: nothing to show, or `bad_range` for a span that is not in the video.
    """
    info = probe(clip.path, fps=clip.fps, options=options)
    if clip.start_s is None and clip.end_s is None:
        return info, rule_indices(rule, info.num_frames, info.fps)
    if info.path.is_dir():
        times_s = [index / info.fps for index in range(info.num_frames)]
    else:
        times_s = presentation_times(info.path)
    try:
        span = span_indices(times_s, clip.start_s, clip.end_s)
    except ValueError as error:
        raise VideoError(info.path, VideoErrorReason.bad_range, str(error)) from error
    return info, [span.start + index for index in rule_indices(rule, len(span), info.fps)]


def plan_frames(clip: Clip, rule: SamplingRule, *, options: DecodeOptions = _USUAL) -> ClipPlan:
    """`plan_clip`, and when its frames are shown, which takes reading a file's packets, not decoding them.

    Raises:
        VideoError: as `plan_clip`.
    """
    info, indices = plan_clip(clip, rule, options=options)
    if not info.path.is_dir():
        try:
            times_s = presentation_times(info.path)
        except VideoError:  # no times, or damage that the wanted frames may not meet
            pass
        else:
            shown = [index for index in indices if index < len(times_s)]
            return ClipPlan(info, tuple(shown), tuple(times_s[index] for index in shown))
    return ClipPlan(info, tuple(indices), tuple(index / info.fps for index in indices))


def load_clip(
    clip: Clip, rule: SamplingRule, *, backend: str = "pyav", options: DecodeOptions = _USUAL
) -> Frames:
    """Decode the frames that `rule` wants of `clip`, in this process.

    An mp4's edit list may hide pictures that the container counts. The rule is applied to the count, as
    published; wanted frames that are hidden are left out and counted in `Frames.missing`.

    Raises:
        VideoError: the clip gives no frames, or lacks wanted ones for another reason.
        UsageError: the backend is not installed.
    """
    check_backend(backend)
    started = time.perf_counter()
    try:
        with files_stay_open():
            info, indices = plan_clip(clip, rule, options=options)
            decoded = _decode(info.path, indices, backend, options, folder_fps=info.fps)
    except MemoryError as error:
        gigabytes = len(indices) * info.width * info.height * 3 / 1e9
        detail = f"{len(indices)} frames of {info.width}x{info.height} need {gigabytes:.1f} GB of memory"
        raise VideoError(info.path, VideoErrorReason.not_decodable, detail) from error
    shown = tuple(indices[: len(decoded.times_s)])
    missing = len(indices) - len(shown)
    decode_s = time.perf_counter() - started - decoded.resize_s
    notes = info.notes + decoded.notes
    digest = digest_of_pixels(decoded.pixels)
    return Frames(
        decoded.pixels, shown, decoded.times_s, info, decode_s, missing, notes, decoded.resize_s, digest
    )


def check(
    path: Path,
    indices: Sequence[int] | Literal["ends", "full"] | SamplingRule = "ends",
    *,
    backend: str = "pyav",
    fps: float | None = None,
    options: DecodeOptions = _USUAL,
) -> VideoInfo:
    """Decode some frames of a file, or all of them, to see whether it is whole; the pictures are not kept.

    The facts it returns hold the notes of probing and decoding.

    Args:
        indices: frames to decode; "ends" is the first, the middle and the last one, "full" all of them, a
            rule those that it takes of the whole file.
        fps: rate of a folder of frames.

    Raises:
        VideoError: a frame is missing or cannot be decoded. "ends" and "full" take the container at its
            word, so a container that overstates its frames by one fails although a run might not miss
            that frame; only frames that an edit list hides are not missed. A frame that is asked for by
            its number is.
    """
    info = probe(path, backend=backend, fps=fps, options=options)
    if indices == "full":
        _decode_all(info)
        return info
    if indices == "ends":
        last = info.num_frames - 1
        decoded = _decode(info.path, sorted({0, last // 2, last}), backend, options)
    elif isinstance(indices, SamplingRule):
        decoded = _decode(info.path, rule_indices(indices, info.num_frames, info.fps), backend, options)
    else:
        read_frames(info.path, indices, backend=backend, options=options)
        return info
    return replace(info, notes=info.notes + decoded.notes)


def _decode_all(info: VideoInfo) -> None:
    """Decode every frame.

    Raises:
        VideoError: one cannot be decoded, is missing, or has another size than the first.
    """
    if info.path.is_dir():
        check_folder(info.path)
        return
    found = scan(info.path)
    if found.size_changes_at is not None:
        raise size_change(info.path, found.size_changes_at)
    if found.frames < info.num_frames and not hides_the_rest(info.path, found.frames):
        raise ends_early(info.path, wanted=info.num_frames - 1, decoded=found.frames, stated=info.num_frames)


def _count(path: Path, options: DecodeOptions) -> int:
    """How many frames come out of the decoder."""
    if options.seek:
        from sf_eval.video.seeking import count_by_index

        if (counted := count_by_index(path)) is not None:
            return counted
    return count_decoded(path)


def _decode(
    path: Path, indices: list[int], backend: str, options: DecodeOptions, folder_fps: float = 1.0
) -> Decoded:
    if indices[0] < 0:
        raise VideoError(path, VideoErrorReason.bad_range, f"there is no frame {indices[0]}")
    if path.is_dir():
        times_s = tuple(index / folder_fps for index in indices)
        return Decoded(read_folder(path, indices), times_s).resized(options.resize)
    return get_backend(backend).decode(path, indices, options)
