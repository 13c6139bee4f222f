"""What a run leaves behind, typed and versioned: results, samples, questions and what it was.

The JSON schemas in `docs/schemas/` are made from these classes (`python -m sf_eval.harness.record`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sf_eval.benchmarks.document import SettledBy
from sf_eval.core.cards import SLOW_FAST
from sf_eval.harness.controls.record import ChangeRecord, ConditionsRecord
from sf_eval.scoring.group_score import GroupScore
from sf_eval.video import VideoErrorReason, VideoNoteKind


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScoreRecord(Strict):
    """A score is never alone: what it counts, how sure it is, and what it leaves out."""

    accuracy: float | None = Field(
        description="Percent right of the answered questions (their mean credit); null where none was."
    )
    interval95: tuple[float, float] | None = Field(
        description="95% interval in percent, questions of one video as a cluster (docs/scoring.md)."
    )
    n: int = Field(description="Questions that enter the accuracy: correct + partial + wrong + no_answer.")
    correct: int
    wrong: int
    no_answer: int = Field(description="Answers that name no option, or say nothing; counted as wrong.")
    unjudged: int = Field(description="Answers to questions whose truth is not public.")
    partial: int = Field(0, description="Open answers that earn a part: a credit between 0 and 1 (WUPS).")
    not_judged: int = Field(
        0, description="Open answers that only a judge can tell, and none was asked about; not in n."
    )
    failures: dict[str, int] = Field(description="Failed samples by kind; they are not in n.")
    coverage: float = Field(description="Percent of the asked questions that were answered.")
    bounds: tuple[float, float] | None = Field(
        description="The accuracy if every failed sample were wrong, and if every one were right."
    )
    parts: int = Field(
        1,
        description="Subtasks or categories whose accuracies this is the mean of: those with a judged "
        "answer. 1 where all questions count alike.",
    )
    parts_total: int = Field(1, description="How many it should be the mean of.")

    @property
    def lacks_parts(self) -> bool:
        """The mean is not of all that it should be made of, though something was judged."""
        return self.n > 0 and self.parts < self.parts_total


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
    parts: int = Field(1, description="Subtasks whose accuracies this is the mean of.")
    parts_total: int = Field(1, description="How many it should be the mean of.")


class JudgeRecord(Strict):
    """Who judged open answers, and by what words."""

    model: str
    base_url: str
    prompt: str = Field(description="Name of the prompt (docs/scoring.md).")
    prompt_digest: str = Field(description="SHA-256 of the prompt's words, before a question is put in.")


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
    mean_over: str | None = Field(
        description="The category that the headline score is the mean over; null where all count alike."
    )
    score: ScoreRecord = Field(description="By the benchmark's own headline rule.")
    micro: ScoreRecord = Field(description="All questions alike.")
    breakdown: list[CategoryRecord]
    published: PublishedScoreRecord | None
    submission_file: str | None
    group_scores: list[GroupScore] = Field([], description="Of questions that are also scored in groups.")
    settled_by: SettledBy = Field(
        "letter", description="How its answers become outcomes (docs/scoring.md); the score's metric."
    )
    lexicon: str | None = Field(None, description="What WUPS took the likeness of words from.")
    judge: JudgeRecord | None = Field(None, description="null where no judge was asked.")


class GroupRecord(Strict):
    """The mean of a group's tasks, e.g. MVBench's 20 subtasks."""

    group: str
    title: str
    tasks: list[str] = Field(description="Whose mean it is: those with a judged answer.")
    unanswered: list[str] = Field(
        default_factory=list, description="Tasks that were asked and have no judged answer."
    )
    complete: bool = Field(description="Whether the mean is of all tasks of the group.")
    score: ScoreRecord
    published: PublishedScoreRecord | None


class ModelRecord(Strict):
    """The model, and what of its configuration its costs are counted from."""

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
    config: dict[str, Any] = Field(description="The shape, as config.json has it.")
    text_before_video: int = Field(description="Tokens of every prompt's markup before the video.")
    family: str = Field(SLOW_FAST, description="Kind of model (docs/families.md).")
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of that family alone.")
    closed_form: bool = Field(True, description="Whether FLOPs and memory are counted from config alone.")


class MemoryRecord(Strict):
    process_peak_bytes: int
    device_allocated_peak_bytes: int | None = Field(description="null where the device is the CPU.")
    device_reserved_peak_bytes: int | None
    forecast_bytes: int | None = Field(
        default=None,
        description="What the closed form foresaw for the run's batch size: tensors on the device, weights "
        "included (beside device_allocated_peak_bytes); null for a model without a closed form.",
    )


class TaskFacts(Strict):
    """What was known of one task's data when its questions were asked."""

    task: str
    data: str = Field(description='Where the questions came from; "mini edition ..." is not the benchmark.')
    is_mini: bool
    revision: str | None = Field(description="Resolved commit of the dataset; null for local data.")
    annotations_digest: str = Field(
        description="SHA-256 over the names and contents of the annotation files."
    )
    questions_total: int
    questions_planned: int
    one_question_per_video: bool = Field(description="Then a submission file knows questions by their video.")


class RunFacts(Strict):
    """What is known of a run once its model is loaded, before anything is answered."""

    created: str = Field(description="UTC, ISO 8601.")
    command: list[str]
    settings: dict[str, Any]
    versions: dict[str, str]
    git_commit: str | None
    machine: dict[str, Any]
    model: ModelRecord
    data: str = Field(description='The data source; "mini edition ..." is not the benchmark.')
    clip: Literal["whole", "cut"]
    scoring: Literal["sf-eval", "published", "both"]
    conditions: ConditionsRecord = ConditionsRecord()
    load_seconds: float
    planned: list[TaskFacts]
    notes: list[str] = Field(
        default_factory=list,
        description="What the checkpoint asks for or holds and the run left out, one sentence each.",
    )


class WorkerRecord(Strict):
    """What one of several workers did, its successors included where it died (docs/scaling.md)."""

    number: int
    host: str = Field(description="Name of its machine; empty where it never started.")
    device: str = Field(description="The GPU's product name, or the processor's.")
    videos: int = Field(description="Videos all of whose questions have a result of it.")
    questions: int
    failed: int = Field(description="How many of them are failures.")
    answered: dict[str, list[tuple[int, int]]] = Field(
        description="What it answered or failed at: by task, rows (doc_id) as [first, last] of each unbroken "
        "sequence. Answers of earlier processes are in nobody's."
    )
    busy_s: float = Field(description="Seconds in which it had questions and was not waiting for a video.")
    waited_s: float = Field(description="Seconds in which it waited for a video to be decoded.")
    idle_s: float = Field(description="Seconds in which it had nothing in hand.")
    memory: MemoryRecord
    lost: list[str] = Field(description="Why it, or a successor of it, died; a sentence each.")


class Usage(Strict):
    """What a run's process took, known at its end."""

    seconds: float | None = Field(
        description="Wall-clock of this process, model loading included; null where a killed run was "
        "recorded by `sf-eval score`: nobody measured it."
    )
    memory: MemoryRecord | None = Field(description="null where nobody measured it.")
    waited_s: float | None = Field(
        default=None,
        description="Seconds that the model waited for videos to be decoded; null where not measured.",
    )
    first_video_s: float | None = Field(
        default=None,
        description="Seconds from the start of the process to the first decoded video, where decoding began "
        "before the libraries were imported; null where it did not.",
    )
    degraded: list[str] = Field(
        default_factory=list,
        description="What was made smaller because memory ran out, in order (batch, frames per chunk).",
    )
    resumed: int = Field(default=0, description="Answers of earlier processes; so are their timings.")
    workers: list[WorkerRecord] = Field(
        default_factory=list,
        description="With --workers; empty for a run in one process. `memory` is then the most that one of "
        "them took, `waited_s` their sum.",
    )


class RunRecord(RunFacts, Usage):
    """`results.json`. Version 3 added `conditions` and open answers; version 2 is still read."""

    schema_version: Literal[2, 3] = 3
    rescored: str | None = Field(
        default=None,
        description="When `sf-eval score` wrote this from the journal (UTC); null for the run's own.",
    )
    complete: bool = Field(description="False where the run was stopped: not all that was asked is in it.")
    tasks: list[TaskRecord]
    groups: list[GroupRecord]


class RunState(Strict):
    """`run.json`: what a directory belongs to. Version 3 added `facts.conditions`; 2 is still read."""

    schema_version: Literal[2, 3] = 3
    plan: dict[str, Any] = Field(description="What makes two runs the same run (docs/schemas/README.md).")
    complete: bool = Field(description="Every question was answered.")
    facts: RunFacts | None = Field(default=None, description="null until the model is loaded.")


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
        None, description="Seconds a stage; prefill_s and generate_s are those of a batch of batch_size."
    )


def main() -> None:
    """Write the JSON schemas to docs/schemas."""
    from sf_eval.core import files

    schemas: dict[str, type[BaseModel]] = {
        "results": RunRecord,
        "samples": SampleRecord,
        "questions": QuestionRecord,
        "run": RunState,
    }
    for name, model in schemas.items():
        files.write_json(Path("docs/schemas") / f"{name}.schema.json", model.model_json_schema())


if __name__ == "__main__":
    main()
