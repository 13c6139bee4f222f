"""One line a question: what it was asked (`questions.jsonl`) and what became of it (`samples.jsonl`)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sf_eval.harness.controls.record import ChangeRecord
from sf_eval.harness.recorded.strict import Strict
from sf_eval.video import VideoErrorReason, VideoNoteKind


class KindOfQuestionRecord(Strict):
    """What one question of a mini edition takes; real data has no such thing."""

    name: str
    group: str = Field(description='"brief", "global", "subtitle" or empty.')
    row: str = Field(description="The same for the same row of the same file, whichever benchmark asks it.")


class QuestionRecord(Strict):
    """One line of `questions.jsonl`: a question as it was asked, and the journal's key of its answer.

    Version 2 added `change` and the accepted answers of open questions; version 1 is still read.
    """

    schema_version: Literal[1, 2] = 2
    task: str
    digest: str
    document: dict[str, Any] = Field(description="`sf_eval.benchmarks.Document`, field by field.")
    kind: KindOfQuestionRecord | None = None
    change: ChangeRecord | None = None


class VideoNoteRecord(Strict):
    """One thing that was done otherwise than a video's file states (docs/video.md)."""

    kind: VideoNoteKind
    detail: str = Field(description="What was found, for people.")


class SampleRecord(Strict):
    """One line of `samples.jsonl`.

    Version 3 added the digests of what was shown, version 4 `change` and open answers; versions 2 and 3 are
    still read.
    """

    schema_version: Literal[2, 3, 4] = 4
    task: str
    data: str
    doc_id: int = Field(description="Row number in the annotation file.")
    question_id: str
    video: str
    categories: dict[str, str]
    prompt: str
    options: dict[str, str] = Field(description="Letter to text, as shown; empty for an open question.")
    labels: dict[str, str] | None = Field(None, description="What the prompt calls options; null: letters.")
    target: str | None = Field(
        description="The right letter; null for an open question, and where the truth is not public."
    )
    references: list[str] = Field(
        default_factory=list, description="The accepted answers of an open question."
    )
    kind: KindOfQuestionRecord | None = None
    change: ChangeRecord | None = Field(
        None, description="In what it was asked otherwise than its row has it; null for a plain run."
    )
    output: str | None = Field(
        None, description="The model's words; null where it gave none. A judge_error has them."
    )
    answer: str | None = Field(None, description="The letter read from the output.")
    answer_rule: str | None = Field(
        None, description="The rule that read the letter (docs/scoring.md); null where none was read."
    )
    answer_frame: str | None = Field(
        None,
        description='Where the letter was looked for: "plain", "after_thought", "answer_mark" or "boxed".',
    )
    output_truncated: bool | None = Field(
        None, description="Whether the output was too long, so that its middle was not read for an answer."
    )
    outcome: str
    credit: float | None = Field(
        None, description="From 0 to 1, of an open answer that enters the score; null for others."
    )
    judge_said: str | None = Field(None, description="The judge's own words about the answer.")
    failure_reason: str | None = None
    video_error: VideoErrorReason | None = Field(None, description="Why its video gave no frames, if so.")
    published_verdict: str | None = None
    num_frames: int | None = None
    frames_missing: int | None = Field(
        None, description="Frames wanted beside those, but hidden by the video's edit list (docs/video.md)."
    )
    video_notes: list[VideoNoteRecord] = Field(
        default_factory=list,
        description="What was done otherwise than the video's file states, so that it is shown as it plays: "
        "a measured frame rate, another stream than the first, one thread because of damage (docs/video.md).",
    )
    frames_digest: str | None = Field(
        None,
        description="SHA-256 of the indices of the frames that were shown, as text with commas between; null "
        "where none was shown.",
    )
    pixels_digest: str | None = Field(
        None,
        description="SHA-256 of those frames' resized pixels: their shape as text and a space "
        '("8x384x384x3 "), then the bytes; null where none was shown, or an earlier version answered.',
    )
    prompt_tokens: int | None = None
    fast_tokens: int | None = None
    slow_tokens: int | None = None
    visual_grid: tuple[int, int, int] | None = Field(None, description="The tower's tokens: frames, h, w.")
    new_tokens: int | None = None
    finish_reason: str | None = None
    timings: dict[str, float] | None = Field(
        None,
        description="Seconds a stage; prefill_s and generate_s are those of a batch of batch_size; prefix_s "
        "is an equal share where the prefixes of several videos were prefilled together (docs/engine.md).",
    )
