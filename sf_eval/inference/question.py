"""What goes into the engine and what comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol, runtime_checkable

from sf_eval.video import Clip, VideoErrorReason, VideoNote


class FailureKind(str, Enum):
    """Why a question has no answer. The values are those of `sf_eval.scoring.outcome.Outcome`."""

    DECODE_ERROR = "decode_error"
    MISSING_MEDIA = "missing_media"
    OUT_OF_MEMORY = "out_of_memory"
    TIMEOUT = "timeout"
    MODEL_ERROR = "model_error"
    WORKER_LOST = "worker_lost"


@dataclass(frozen=True, order=True, slots=True)
class QuestionKey:
    """Which question of a run: a task's name and the row's number in its annotation files, from 0."""

    task: str
    index: int

    def __str__(self) -> str:
        return f"{self.task}/{self.index}"


Said = tuple[float, str]
"""A line that is said in a video: when, in seconds since the first frame of the file, and its text."""


@runtime_checkable
class InterleavedPrompt(Protocol):
    """A prompt whose video has text between its frames; the same for all questions with one `film`."""

    @property
    def film(self) -> str:
        """What determines the text between the frames beside the frames' times."""

    def said(self, times_s: Sequence[float]) -> Sequence[Said]:
        """The lines between frames shown at `times_s`, in the order in which they stand."""


class TimedPrompt(Protocol):
    """A prompt whose text depends on when the shown frames are, such as one with their subtitles."""

    @property
    def identity(self) -> str:
        """What determines the text beside those times; the same for the same question, anywhere."""

    def text(self, times_s: Sequence[float]) -> str:
        """The prompt for frames shown at `times_s`, in seconds since the first frame of the file."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question about one clip.

    Attributes:
        key: which question of a run it is; its result carries it back.
        name: what the question is called wherever its row stands, e.g. by the benchmark's own id.
        clip: the video (or part of it); None asks without a video.
        prompt: the user's turn, without chat markup and without the video's placeholder.
        max_new_tokens: limit of the answer in tokens.
    """

    key: QuestionKey
    clip: Clip | None
    prompt: str | TimedPrompt
    max_new_tokens: int
    name: str = ""

    @property
    def identity(self) -> str:
        return self.name or str(self.key)

    @property
    def film(self) -> str:
        """What stands between the frames of its video: questions with another one share no prefix."""
        return self.prompt.film if isinstance(self.prompt, InterleavedPrompt) else ""

    def said(self, times_s: Sequence[float]) -> Sequence[Said]:
        """The lines between frames shown at `times_s`; none but for an interleaved prompt."""
        return self.prompt.said(times_s) if isinstance(self.prompt, InterleavedPrompt) else ()

    def text(self, times_s: Sequence[float] = ()) -> str:
        """The prompt for frames shown at `times_s`."""
        return self.prompt if isinstance(self.prompt, str) else self.prompt.text(times_s)


@dataclass(frozen=True, slots=True)
class StageTimings:
    """Seconds of wall-clock time, measured with the device synchronised at each boundary.

    Attributes:
        decode_s, preprocess_s: of the video's frames, in the decoder's process: decoding them, resizing them.
        upload_s, vision_s: of the video: to the device; normalised, through the vision tower and projector.
        prefix_s: prefill of what the prompts about the video begin with; an equal share of it where several
            videos' were prefilled together; 0 where each prompt is prefilled whole.
        prefill_s, generate_s: of the question's batch: until the first tokens of all rows, and then.
        batch_size: questions that shared `prefill_s` and `generate_s`.
        shared_by: questions that shared the times before them.
    """

    decode_s: float
    preprocess_s: float
    upload_s: float
    vision_s: float
    prefill_s: float
    generate_s: float
    batch_size: int
    prefix_s: float = 0.0
    shared_by: int = 1

    @property
    def per_question_s(self) -> float:
        """The question's part of all of them."""
        video = self.decode_s + self.preprocess_s + self.upload_s + self.vision_s + self.prefix_s
        return video / self.shared_by + (self.prefill_s + self.generate_s) / self.batch_size


@dataclass(frozen=True, slots=True)
class Answer:
    """The model's words and what they took.

    Attributes:
        prompt: the text that was asked, subtitles included.
        prompt_tokens: tokens of the LLM's prefill: text plus fast tokens. This, `fast_tokens` and
            `new_tokens` are None where nobody counted them.
        finish_reason: "stop" (end-of-turn token) or "length" (limit reached).
        frames_missing: frames wanted beside the shown ones, but hidden by the file's edit list.
        video_notes: what was done otherwise than the video's file states, to show it as it plays.
        pixels_digest: of the resized pictures that were shown (`sf_eval.video.digest`); "" where none was, or
            where an earlier version answered.
        visual_grid: as in `Generated`.
    """

    key: QuestionKey
    prompt: str
    text: str
    num_frames: int
    frame_indices: tuple[int, ...]
    prompt_tokens: int | None
    fast_tokens: int | None
    slow_tokens: int
    new_tokens: int | None
    finish_reason: str
    timings: StageTimings
    frames_missing: int = 0
    video_notes: tuple[VideoNote, ...] = ()
    pixels_digest: str = ""
    visual_grid: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    Attributes:
        reason: for people; it is never parsed.
        video_error: why the video gave no frames, where it was that; None where nobody said.
    """

    key: QuestionKey
    kind: FailureKind
    reason: str
    video_error: VideoErrorReason | None = None


Result = Answer | Failure
