"""Videos that are encoded and questions that wait for their batch; and the answer to one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sf_eval.inference.family import Asked, Generated, Refused
from sf_eval.inference.question import Answer, Failure, FailureKind, Question, Result, StageTimings
from sf_eval.video import Frames, VideoNote


@dataclass(frozen=True, eq=False)
class Shown:
    """A video that is ready to be asked about; none for questions without one.

    Attributes:
        video: the family's.
        between: how the text between its frames reads, for people; "" without any.
        shared_by: how many questions share the times.
    """

    video: Any
    frame_indices: tuple[int, ...] = ()
    frames_missing: int = 0
    notes: tuple[VideoNote, ...] = ()
    pixels_digest: str = ""
    times_s: tuple[float, ...] = ()
    between: str = ""
    decode_s: float = 0.0
    preprocess_s: float = 0.0
    upload_s: float = 0.0
    vision_s: float = 0.0
    prefix_s: float = 0.0
    shared_by: int = 1


@dataclass(frozen=True, eq=False)
class Ready:
    """A question whose video is ready.

    Attributes:
        prefix: the family's, of its prompt.
        tried_at: how many questions were answered or put off when it was last asked alone and did not fit
            beside other videos; None if it never was.
    """

    question: Question
    text: str
    shown: Shown
    prefix: Any
    tried_at: int | None = None

    @property
    def asked(self) -> Asked:
        return Asked(self.text, self.shown.video, self.prefix, self.question.max_new_tokens)


def to_answer(ready: Ready, result: Generated | Refused, batch_size: int) -> Result:
    """What the model gave to a question of a batch, as the engine hands it out."""
    if isinstance(result, Refused):
        return Failure(ready.question.key, result.kind, result.reason)
    if not result.finite:
        reason = "the logits are not finite (NaN or infinite): the weights or the dtype overflow"
        return Failure(ready.question.key, FailureKind.MODEL_ERROR, reason)
    shown = ready.shown
    return Answer(
        key=ready.question.key,
        prompt=f"{shown.between}\n{ready.text}" if shown.between else ready.text,
        text=result.text,
        num_frames=len(shown.frame_indices),
        frame_indices=shown.frame_indices,
        prompt_tokens=result.prompt_tokens,
        fast_tokens=result.visual_tokens,
        slow_tokens=result.slow_tokens,
        new_tokens=result.new_tokens,
        finish_reason=result.finish_reason,
        timings=StageTimings(
            decode_s=shown.decode_s,
            preprocess_s=shown.preprocess_s,
            upload_s=shown.upload_s,
            vision_s=shown.vision_s,
            prefix_s=shown.prefix_s + result.prefix_s,
            shared_by=shown.shared_by,
            prefill_s=result.prefill_s,
            generate_s=result.generate_s,
            batch_size=batch_size,
        ),
        frames_missing=shown.frames_missing,
        video_notes=shown.notes,
        pixels_digest=shown.pixels_digest,
        visual_grid=result.visual_grid,
    )


def hidden(frames: Frames) -> str:
    """For the log: frames that an edit list hides."""
    wanted = len(frames.indices) + frames.missing
    return f"its edit list hides {frames.missing} of the {wanted} wanted frames; the others are shown."
