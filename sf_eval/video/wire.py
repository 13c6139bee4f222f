"""Messages between `ClipLoader` and its worker: a JSON header, then raw pixels. No pickle.

A message is 4 bytes of header length (big endian), the header, and as many raw bytes as the header's "shape"
[T, H, W, 3] says (none without a shape).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize
from sf_eval.video.errors import VideoError
from sf_eval.video.types import (
    Clip,
    ClipPlan,
    DecodeOptions,
    Frames,
    SamplingRule,
    VideoInfo,
    VideoNote,
    VideoNoteKind,
)

LENGTH = struct.Struct(">I")


def packed(header: dict[str, Any]) -> bytes:
    """A message without pixels."""
    data = json.dumps(header).encode()
    return LENGTH.pack(len(data)) + data


def send(stream: BinaryIO, header: dict[str, Any], pixels: NDArray[np.uint8] | None = None) -> None:
    """Write one message to a buffered stream."""
    stream.write(packed(header))
    if pixels is not None:
        stream.write(raw_bytes(pixels))
    stream.flush()


def raw_bytes(pixels: NDArray[np.uint8]) -> memoryview:
    """The memory of a C-contiguous array, not a copy."""
    return pixels.data.cast("B")


PixelRoom = Callable[[Sequence[int]], NDArray[np.uint8]]
"""Gives uint8 memory of a shape, C-contiguous, for pixels to be read into; may be called from any thread."""


def ordinary_room(shape: Sequence[int]) -> NDArray[np.uint8]:
    """Memory as it comes."""
    return np.empty(shape, np.uint8)


def pixel_buffer(header: dict[str, Any], room: PixelRoom) -> NDArray[np.uint8] | None:
    """Room for the raw bytes that follow `header`, or None if none do."""
    shape = header.get("shape")
    return None if shape is None else room(shape)


def clip_to_json(clip: Clip) -> dict[str, Any]:
    return {**vars(clip), "path": str(clip.path)}


def clip_from_json(value: dict[str, Any]) -> Clip:
    return Clip(**{**value, "path": Path(value["path"])})


def rule_to_json(rule: SamplingRule) -> dict[str, Any]:
    return dict(vars(rule))


def options_to_json(options: DecodeOptions) -> dict[str, Any]:
    return {**vars(options), "resize": None if options.resize is None else vars(options.resize)}


def options_from_json(value: dict[str, Any]) -> DecodeOptions:
    resize = value["resize"]
    return DecodeOptions(**{**value, "resize": None if resize is None else Resize(**resize)})


def info_to_json(info: VideoInfo) -> dict[str, Any]:
    return {**vars(info), "path": str(info.path), "notes": notes_to_json(info.notes)}


def info_from_json(value: dict[str, Any]) -> VideoInfo:
    return VideoInfo(**{**value, "path": Path(value["path"]), "notes": notes_from_json(value["notes"])})


def notes_to_json(notes: Sequence[VideoNote]) -> list[list[str]]:
    return [[note.kind.value, note.detail] for note in notes]


def notes_from_json(value: Sequence[Sequence[str]]) -> tuple[VideoNote, ...]:
    return tuple(VideoNote(VideoNoteKind(kind), detail) for kind, detail in value)


def plan_to_json(plan: ClipPlan) -> dict[str, Any]:
    return {**vars(plan), "info": info_to_json(plan.info)}


def plan_from_json(value: dict[str, Any]) -> ClipPlan:
    return ClipPlan(info_from_json(value["info"]), tuple(value["indices"]), tuple(value["times_s"]))


def frames_to_json(frames: Frames) -> dict[str, Any]:
    """Everything of `frames` but the pixels."""
    return {
        "shape": list(frames.pixels.shape),
        "indices": frames.indices,
        "times_s": frames.times_s,
        "info": info_to_json(frames.info),
        "decode_s": frames.decode_s,
        "missing": frames.missing,
        "notes": notes_to_json(frames.notes),
        "resize_s": frames.resize_s,
        "pixels_digest": frames.pixels_digest,
    }


def frames_from_json(header: dict[str, Any], pixels: NDArray[np.uint8]) -> Frames:
    indices, times_s = tuple(header["indices"]), tuple(header["times_s"])
    info, notes = info_from_json(header["info"]), notes_from_json(header["notes"])
    missing, resize_s, digest = header["missing"], header["resize_s"], header["pixels_digest"]
    return Frames(pixels, indices, times_s, info, header["decode_s"], missing, notes, resize_s, digest)


def error_to_json(error: VideoError | UsageError) -> dict[str, Any]:
    """An error a user can do something about; a defect travels as its traceback instead."""
    if isinstance(error, VideoError):
        return {"video_error": [str(error.path), error.reason.value, error.detail]}
    return {"usage_error": [error.message, error.hint]}


def raise_error(header: dict[str, Any]) -> None:
    """Raise what the worker raised, if it raised.

    Raises:
        VideoError, UsageError: as in the worker.
        RuntimeError: a defect in the worker, with its traceback.
    """
    if "video_error" in header:
        raise VideoError(*header["video_error"])
    if "usage_error" in header:
        message, hint = header["usage_error"]
        raise UsageError(message, hint=hint)
    if "defect" in header:
        raise RuntimeError(f"the video worker failed:\n{header['defect']}")
