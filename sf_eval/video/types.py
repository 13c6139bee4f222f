"""What goes into the video room and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize

RuleKind = Literal["published", "uniform", "rate", "rate-to-end", "starts", "middles"]
FOLDER_FPS = 3.0  # MVBench's folders of frames were extracted at 3 frames per second (frames_fps3_hq)


class VideoNoteKind(str, Enum):
    """What is done otherwise than the file states, so that it is shown as it plays.

    `measured_rate`: the stated frame rate contradicts the pictures' times; the rule took their average rate.
    `film_stream`: the first video stream is not the film.
    `one_thread`: something behind the shown frames is damaged; they were decoded again with one thread.
    `in_order`: the frames could not be reached by seeking, for an `InOrderReason`; they are the same.
    """

    measured_rate = "measured_rate"
    film_stream = "film_stream"
    one_thread = "one_thread"
    in_order = "in_order"


@dataclass(frozen=True)
class VideoNote:
    """One thing that was done otherwise, and what was found, for people."""

    kind: VideoNoteKind
    detail: str


class InOrderReason(str, Enum):
    """Why a file was decoded in order although frames were to be reached by seeking."""

    unknown_format = "seeking is not known to be exact for its codec or container"
    missing_times = "it has pictures without a time"
    doubled_times = "it has several pictures with the same time"
    edit_list = "its edit list hides pictures"
    count_differs = "its container states another number of pictures than it holds"
    starts_inside_group = "its first picture is not one that decoding can start with"
    hidden_pictures = "it has packets that show no picture of their own"
    reordering = "its pictures are further out of order than their decoder expects"
    disagreement = "its pictures do not come out of the decoder as its packets say"
    damaged = "something is damaged on the way to the wanted pictures"


@dataclass(frozen=True)
class DecodeOptions:
    """How frames are got; none of it changes which frames, and only `resize` what they look like.

    Attributes:
        seek: reach the frames by seeking where that gives the same pictures; only pyav can.
        threads: of FFmpeg for one decoder; None is as many as there are cores.
        resize: carried out on each picture as it is decoded; None leaves the coded size.

    Raises:
        UsageError: fewer than one thread.
    """

    seek: bool = True
    threads: int | None = None
    resize: Resize | None = None

    def __post_init__(self) -> None:
        if self.threads is not None and self.threads < 1:
            raise UsageError(f"a decoder cannot have {self.threads} threads.", hint="Give at least 1.")


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video without its pictures.

    Attributes:
        num_frames: the container's frame count; for webm, mkv and containers that state none, the number of
            frames that can be decoded; for a folder, the number of pictures.
        fps: average frame rate in frames per second: the stated one, or the measured one where the two differ
            by more than a tenth.
        duration_s: stated duration in seconds; `num_frames / fps` where none is stated.
        width, height: of the coded picture in pixels (a display rotation is not applied).
        codec: FFmpeg's name of the codec; "images" for a folder of frames.
        notes: what of this is not as the file states it.
    """

    path: Path
    num_frames: int
    fps: float
    duration_s: float
    width: int
    height: int
    codec: str
    notes: tuple[VideoNote, ...] = ()


@dataclass(frozen=True)
class Clip:
    """A video file, or a folder of frames, or the part of it between two times.

    Attributes:
        start_s, end_s: seconds since the file's start (`clock`), both inclusive; None means the video's own
            start or end.
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
        kind: "published" (`published_indices`), "uniform" (`uniform_indices`), or the rule of a family of
            transformers' video processors (`sf_eval.video.family_sampling`).
        num_frames: at most so many frames.
        target_fps: target rate in frames per second of the published rule and of those by a rate.
        least: frames that a rule by a rate takes at least, if the video has them.

    Raises:
        UsageError: an unknown kind, fewer than one frame, or a target rate that is not positive.
    """

    kind: RuleKind
    num_frames: int
    target_fps: float = 2.0
    least: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(RuleKind):
            raise UsageError(
                f"the frame rule {self.kind!r} does not exist.", hint=f"Use {', '.join(get_args(RuleKind))}."
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
        times_s: their presentation times in seconds since the file's start; `index / fps` where the container
            tells none.
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
        times_s: T presentation times in seconds since the file's start, which may lie before its first frame.
        decode_s: wall-clock seconds spent on probing and decoding, without `resize_s`.
        missing: frames that the rule wants beside these T, but that the file's edit list hides.
        notes: what was done otherwise than the file states, to probe and to decode it.
        resize_s: wall-clock seconds spent on resizing; 0 where that was not asked for.
        pixels_digest: of `pixels` (`digest.digest_of_pixels`), made where they were decoded; "" where they
            were not decoded at all.
    """

    pixels: NDArray[np.uint8]
    indices: tuple[int, ...]
    times_s: tuple[float, ...]
    info: VideoInfo
    decode_s: float
    missing: int = 0
    notes: tuple[VideoNote, ...] = ()
    resize_s: float = 0.0
    pixels_digest: str = ""
