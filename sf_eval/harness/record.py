"""What a run leaves behind, typed and versioned: its results and what it was; `recorded/samples.py` has its
questions and samples.

The JSON schemas in `docs/schemas/` are made from these classes (`python -m sf_eval.harness.record`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from sf_eval.benchmarks.document import SettledBy
from sf_eval.core.cards import SLOW_FAST
from sf_eval.harness.controls.record import ConditionsRecord
from sf_eval.harness.recorded.samples import QuestionRecord, SampleRecord
from sf_eval.harness.recorded.strict import Strict
from sf_eval.scoring.group_score import GroupScore


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
