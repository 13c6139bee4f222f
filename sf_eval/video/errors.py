"""The one error of a video that cannot be shown to the model."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from sf_eval.core.errors import SfEvalError


class VideoErrorReason(str, Enum):
    """Why a clip gave no frames."""

    missing = "missing"
    empty = "empty"
    no_video_stream = "no_video_stream"
    not_decodable = "not_decodable"
    ends_early = "ends_early"
    timeout = "timeout"
    crashed = "crashed"
    unsupported = "unsupported"
    bad_range = "bad_range"

    @property
    def is_damage(self) -> bool:
        """The file itself is at fault: not what was asked of it, nor the decoder or the machine."""
        return self in _DAMAGE


_DAMAGE = frozenset(
    {
        VideoErrorReason.empty,
        VideoErrorReason.no_video_stream,
        VideoErrorReason.not_decodable,
        VideoErrorReason.ends_early,
    }
)


class WorkerStartError(RuntimeError):
    """No decoder process starts: nothing is wrong with the clip, and no other clip would fare better."""


class VideoError(SfEvalError):
    """A clip that gave no frames.

    Args:
        path: the file or folder.
        reason: one of `VideoErrorReason`.
        detail: what was found there, for people.
    """

    def __init__(self, path: str | os.PathLike[str], reason: VideoErrorReason, detail: str) -> None:
        self.path = Path(path)
        self.reason = VideoErrorReason(reason)
        self.detail = detail
        super().__init__(f"{self.path}: {detail} [{self.reason.value}].")

    def __reduce__(self) -> tuple[type[VideoError], tuple[Path, VideoErrorReason, str]]:
        return type(self), (self.path, self.reason, self.detail)  # so that it can cross process borders


def size_change(path: Path, frame: int) -> VideoError:
    """From `frame` on the pictures have another size: they are not one clip."""
    return VideoError(path, VideoErrorReason.not_decodable, f"the picture size changes at frame {frame}")


def ends_early(path: Path, *, wanted: int, decoded: int, stated: int) -> VideoError:
    """Frame `wanted` does not exist: `decoded` frames came out of a file whose container states `stated`."""
    claim = f"the container states {stated} frames" if stated else "the container states no frame count"
    detail = f"frame {wanted} (counted from 0) is wanted, but only {decoded} frames can be decoded; {claim}"
    return VideoError(path, VideoErrorReason.ends_early, detail)
