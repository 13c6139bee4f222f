"""What goes into the video room and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize

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


class InOrderReason(str, Enum):
    """Why a file was decoded in order although frames were to be reached by seeking."""

    unknown_format = "unknown_format"  # a codec or container whose seeking is not held to in-order decoding
    missing_times = "missing_times"  # a packet without a presentation time
    doubled_times = "doubled_times"  # two packets with the same time
    edit_list = "edit_list"  # coded pictures that are not shown
    count_differs = "count_differs"  # the container states another number of frames than it has
    starts_inside_group = "starts_inside_group"  # the first packet is no start, or is not shown first
    hidden_pictures = "hidden_pictures"  # a packet that shows no picture, or more than one
    reordering = "reordering"  # packets are further out of order than the decoder expects
    disagreement = "disagreement"  # packets or frames are not where the index says
    damaged = "damaged"  # an error while reading packets or decoding


@dataclass(frozen=True)
class DecodeOptions:
    """How frames are got; none of it changes which frames, and only `resize` what they look like.

    Attributes:
        seek: reach the frames by seeking where that gives the same pictures; only pyav can.
        threads: of FFmpeg for one decoder; 0 is as many as there are cores.
        resize: carried out on each picture as it is decoded; None leaves the coded size.

    Raises:
        UsageError: a negative number of threads.
    """

    seek: bool = True
    threads: int = 0
    resize: Resize | None = None

    def __post_init__(self) -> None:
        if self.threads < 0:
            raise UsageError(f"a decoder cannot have {self.threads} threads.", hint="Give 0 or more.")


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
        pixels: uint8 [T, H, W, 3], RGB; as coded, or the squares of `DecodeOptions.resize`.
        indices: T indices of decoded frames, counted from 0 at the start of the file (not of the clip).
        times_s: T presentation times in seconds since the first frame of the file.
        decode_s: wall-clock seconds spent on probing and decoding, without `resize_s`.
        missing: frames that the rule wants beside these T, but that the file's edit list hides.
        in_order: why the file was decoded in order although seeking was asked for; None where it was not asked
            for, where frames were reached by seeking, and for folders and other backends than pyav.
        resize_s: wall-clock seconds spent on resizing; 0 where that was not asked for.
    """

    pixels: NDArray[np.uint8]
    indices: tuple[int, ...]
    times_s: tuple[float, ...]
    info: VideoInfo
    decode_s: float
    missing: int = 0
    in_order: InOrderReason | None = None
    resize_s: float = 0.0
