"""Decoding and frame sampling. Importing this loads no decoder and no torch; see docs/video.md."""

from sf_eval.video.backends import available_backends
from sf_eval.video.errors import VideoError, VideoErrorReason, WorkerStartError
from sf_eval.video.loader import ClipLoader, LoaderClosedError
from sf_eval.video.pool import ClipPool
from sf_eval.video.reading import check, load_clip, plan_clip, plan_frames, probe, read_frames
from sf_eval.video.sampling import published_indices, uniform_indices
from sf_eval.video.types import (
    Clip,
    ClipPlan,
    DecodeOptions,
    Frames,
    InOrderReason,
    SamplingRule,
    VideoInfo,
    VideoNote,
    VideoNoteKind,
)
from sf_eval.video.wire import PixelRoom, ordinary_room

__all__ = [
    "Clip",
    "ClipLoader",
    "ClipPlan",
    "ClipPool",
    "DecodeOptions",
    "Frames",
    "InOrderReason",
    "LoaderClosedError",
    "PixelRoom",
    "SamplingRule",
    "VideoError",
    "VideoErrorReason",
    "VideoInfo",
    "VideoNote",
    "VideoNoteKind",
    "WorkerStartError",
    "available_backends",
    "check",
    "load_clip",
    "ordinary_room",
    "plan_clip",
    "plan_frames",
    "probe",
    "published_indices",
    "read_frames",
    "uniform_indices",
]
