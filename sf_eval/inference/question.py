"""What goes into the engine and what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sf_eval.video import Clip, VideoNote


class FailureKind(str, Enum):
    """Why a question has no answer. The values are those of `sf_eval.benchmarks.outcome.Outcome`."""

    DECODE_ERROR = "decode_error"
    MISSING_MEDIA = "missing_media"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    MODEL_ERROR = "model_error"


@dataclass(frozen=True)
class Question:
    """One question about one clip.

    Attributes:
        key: what the caller knows it by; answers carry it back.
        name: what the question is called wherever its row stands; "" where it has no name but its key.
        clip: the video (or part of it); None asks without a video.
        prompt: the user's turn, without chat markup and without the video's placeholder.
        max_new_tokens: limit of the answer in tokens.
    """

    key: str
    clip: Clip | None
    prompt: str
    max_new_tokens: int
    name: str = ""

    @property
    def identity(self) -> str:
        return self.name or self.key


@dataclass(frozen=True)
class StageTimings:
    """Seconds of wall-clock time, measured with the device synchronised at each boundary.

    `decode_s` to `vision_s` are this sample's own. `prefill_s` and `generate_s` are those of the batch the
    sample was answered in; `batch_size` says how many shared them.
    """

    decode_s: float
    preprocess_s: float
    upload_s: float
    vision_s: float
    prefill_s: float
    generate_s: float
    batch_size: int


@dataclass(frozen=True)
class Answer:
    """The model's words and what they took.

    Attributes:
        prompt_tokens: tokens of the LLM's prefill: text plus fast tokens.
        finish_reason: "stop" (end-of-turn token) or "length" (limit reached).
        frames_missing: frames wanted beside the shown ones, but hidden by the file's edit list.
        video_notes: what was done otherwise than the video's file states, to show it as it plays.
    """

    key: str
    text: str
    num_frames: int
    frame_indices: tuple[int, ...]
    prompt_tokens: int
    fast_tokens: int
    slow_tokens: int
    new_tokens: int
    finish_reason: str
    timings: StageTimings
    frames_missing: int = 0
    video_notes: tuple[VideoNote, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why there is no answer; `reason` is for people and is never parsed."""

    key: str
    kind: FailureKind
    reason: str
