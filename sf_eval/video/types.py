"""What goes into the video room and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError

FOLDER_FPS = 3.0  # MVBench's folders of frames were extracted at 3 frames per second (frames_fps3_hq)


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video without its pictures.

    Attributes:
        num_frames: the container's frame count; for webm, mkv and containers that state none, the number of
            frames that can be decoded; for a folder, the number of pictures.
        fps: average frame rate in frames per second.
        duration_s: stated duration in seconds; `num_frames / fps` where none is stated.
        width, height: of the coded picture in pixels (a display rotation is not applied).
        codec: FFmpeg's name of the codec; "images" for a folder of frames.
    """

    path: Path
    num_frames: int
    fps: float
    duration_s: float
    width: int
    height: int
    codec: str


@dataclass(frozen=True)
class Clip:
    """A video file, or a folder of frames, or the part of it between two times.

    Attributes:
        start_s, end_s: seconds since the first frame, both inclusive; None means the video's own start or
            end.
        fps: rate of a folder of frames in frames per second; 3 where None. A file's own rate always counts.
    """

    path: Path
    start_s: float | None = None
    end_s: float | None = None
    fps: float | None = None


@dataclass(frozen=True)
class SamplingRule:
    """Which frames of a clip are shown.

    Attributes:
        kind: "published" (`published_indices`) or "uniform" (`uniform_indices`).
        num_frames: at most so many frames.
        target_fps: the published rule's target rate in frames per second.

    Raises:
        UsageError: an unknown kind, fewer than one frame, or a target rate that is not positive.
    """

    kind: Literal["published", "uniform"]
    num_frames: int
    target_fps: float = 2.0

    def __post_init__(self) -> None:
        if self.kind not in ("published", "uniform"):
            raise UsageError(
                f"the frame rule {self.kind!r} does not exist.", hint="Use published or uniform."
            )
        if self.num_frames < 1:
            raise UsageError(f"{self.num_frames} frames cannot be sampled.", hint="Ask for at least 1.")
        if not self.target_fps > 0:
            raise UsageError(f"a target rate of {self.target_fps} frames per second cannot be met.")


@dataclass(frozen=True)
class ClipPlan:
    """Which frames of a clip are shown, and when, without their pictures.

    Attributes:
        indices: of the frames, counted from 0 at the start of the file; those that a decoder shows.
        times_s: their presentation times in seconds since the first frame of the file; `index / fps` where
            the container tells none.
    """

    info: VideoInfo
    indices: tuple[int, ...]
    times_s: tuple[float, ...]


@dataclass(frozen=True)
class Frames:
    """The frames of one clip.

    Attributes:
        pixels: uint8 [T, H, W, 3], RGB.
        indices: T indices of decoded frames, counted from 0 at the start of the file (not of the clip).
        times_s: T presentation times in seconds since the first frame of the file.
        decode_s: wall-clock seconds spent on probing and decoding.
        missing: frames that the rule wants beside these T, but that the file's edit list hides.
    """

    pixels: NDArray[np.uint8]
    indices: tuple[int, ...]
    times_s: tuple[float, ...]
    info: VideoInfo
    decode_s: float
    missing: int = 0
