"""What a run leaves behind: `results.json` and `samples.jsonl`, typed and versioned.

The JSON schemas in `docs/schemas/` are made from these classes (`python -m sf_eval.harness.record`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sf_eval.video import VideoNoteKind


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreRecord(Strict):
    """A score is never alone: what it counts, how sure it is, and what it leaves out."""

    accuracy: float | None = Field(
        description="Percent right of the answered questions; null where none was."
    )
    interval95: tuple[float, float] | None = Field(
        description="95% interval in percent, questions of one video as a cluster (docs/scoring.md)."
    )
    n: int = Field(description="Questions that enter the accuracy: correct + wrong + no_answer.")
    correct: int
    wrong: int
    no_answer: int = Field(description="Answers that name no option; counted as wrong.")
    unjudged: int = Field(description="Answers to questions whose truth is not public.")
    failures: dict[str, int] = Field(description="Failed samples by kind; they are not in n.")
    coverage: float = Field(description="Percent of the asked questions that were answered.")
    bounds: tuple[float, float] | None = Field(
        description="The accuracy if every failed sample were wrong, and if every one were right."
    )


class CategoryRecord(Strict):
    category: str = Field(description='What it is broken down by, e.g. "duration".')
    value: str
    score: ScoreRecord


class PublishedScoreRecord(Strict):
    """The same outputs as the authors' scorers judge them, with random guesses counted as wrong."""

    accuracy: float | None
    interval95: tuple[float, float] | None
    n: int
    correct: int
    random_guesses: int = Field(description="Outputs for which the published scorer draws a letter.")
    raised: int = Field(description="Outputs on which the published scorer raises an exception.")
    dropped: int = Field(description="Outputs that the published average leaves out.")


class TaskRecord(Strict):
    task: str
    title: str
    data: str = Field(description='Where the questions came from; "mini edition ..." is not the benchmark.')
    dataset: str = Field(description="Hub id of the benchmark.")
    split: str
    revision: str | None = Field(description="Resolved commit of the dataset; null for local data.")
    clip: Literal["whole", "cut"]
    questions_total: int
    questions_asked: int
    videos_asked: int
    headline: str = Field(description='"micro", or "macro:CATEGORY": the mean over that category.')
    score: ScoreRecord = Field(description="By the benchmark's own headline rule.")
    micro: ScoreRecord = Field(description="All questions alike.")
    breakdown: list[CategoryRecord]
    published: PublishedScoreRecord | None
    submission_file: str | None


class GroupRecord(Strict):
    """The mean of a group's tasks, e.g. MVBench's 20 subtasks."""

    group: str
    title: str
    tasks: list[str]
    complete: bool = Field(description="Whether all tasks of the group were run.")
    score: ScoreRecord
    published: PublishedScoreRecord | None


class ModelRecord(Strict):
    name: str
    title: str
    weights: str
    revision: str
    weights_digest: str
    parameters: int
    untrained: bool
    slow_path: Literal["on", "off"]
    decode_slow_attention: bool
    num_frames: int
    sampling: str
    target_fps: float
    dtype: str
    attn: str
    licence: str
    published: str = Field(description="Row of the published results that reports this model, or empty.")


class MemoryRecord(Strict):
    process_peak_bytes: int
    device_allocated_peak_bytes: int | None = Field(description="null where the device is the CPU.")
    device_reserved_peak_bytes: int | None


class RunRecord(Strict):
    """`results.json`."""

    schema_version: Literal[1] = 1
    created: str = Field(description="UTC, ISO 8601.")
    command: list[str]
    settings: dict[str, Any]
    versions: dict[str, str]
    git_commit: str | None
    machine: dict[str, Any]
    model: ModelRecord
    data: str = Field(description='The data source; "mini edition ..." is not the benchmark.')
    scoring: Literal["sf-eval", "published", "both"]
    seconds: float = Field(description="Wall-clock of this process, model loading included.")
    load_seconds: float
    memory: MemoryRecord
    degraded: list[str] = Field(
        default_factory=list,
        description="What was made smaller because memory ran out, in order (batch, frames a chunk).",
    )
    resumed: int = Field(default=0, description="Answers of earlier processes; so are their timings.")
    complete: bool = Field(description="False where the run was stopped: not all that was asked is in it.")
    tasks: list[TaskRecord]
    groups: list[GroupRecord]


class VideoNoteRecord(Strict):
    """One thing that was done otherwise than a video's file states (docs/video.md)."""

    kind: VideoNoteKind
    detail: str = Field(description="What was found, for people.")


class SampleRecord(Strict):
    """One line of `samples.jsonl`."""

    schema_version: Literal[1] = 1
    task: str
    data: str
    doc_id: int = Field(description="Row number in the annotation file.")
    question_id: str
    video: str
    categories: dict[str, str]
    prompt: str
    target: str | None
    output: str | None = Field(None, description="The model's words; null where the sample failed.")
    answer: str | None = Field(None, description="The letter read from the output.")
    outcome: str
    failure_reason: str | None = None
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
    prompt_tokens: int | None = None
    fast_tokens: int | None = None
    slow_tokens: int | None = None
    new_tokens: int | None = None
    finish_reason: str | None = None
    timings: dict[str, float] | None = Field(
        None, description="Seconds a stage; prefill_s and generate_s are those of a batch of batch_size."
    )


def main() -> None:
    """Write the JSON schemas of both files to docs/schemas."""
    from sf_eval.core import files

    folder = Path("docs/schemas")
    files.write_json(folder / "results.schema.json", RunRecord.model_json_schema())
    files.write_json(folder / "samples.schema.json", SampleRecord.model_json_schema())


if __name__ == "__main__":
    main()
