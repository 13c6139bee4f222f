"""What a comparison of several runs leaves behind: `comparison.json`, typed and versioned.

The JSON schema in `docs/schemas/` is made from these classes (`python -m sf_eval.report.comparison.record`).
How each number is made: docs/comparing.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from sf_eval.harness.record import ScoreRecord
from sf_eval.harness.recorded.strict import Strict


class EstimateRecord(Strict):
    value: float
    interval95: tuple[float, float] | None = Field(
        description="By a bootstrap over videos; null where there are too few videos, or where a ratio is "
        "asked for and one of the two got nothing right in some resample."
    )


Incomparable = Literal["not_judged", "judges", "lexicons"]


class BenchmarkColumn(Strict):
    """A benchmark of the comparison: a task of its own, or a group's tasks together."""

    name: str
    title: str
    tasks: list[str]
    in_mean: bool = Field(description="Whether it enters the mean over benchmarks.")
    remark: str = Field(description="How its score is made, where it is not all questions alike.")
    incomparable: Incomparable | None = Field(
        default=None,
        description="Why the runs' scores on it are not comparable: some answers are not judged, or other "
        "judges or prompts, or lexicons, said what is right. Such a benchmark is in no mean, gain or kind.",
    )


class BenchmarkScore(Strict):
    benchmark: str
    score: ScoreRecord


class CostRecord(Strict):
    """Means per question, over all that the run answered."""

    questions: int
    prefill_flops: float | None = Field(description="null where this kind of model's are not counted.")
    total_flops: float | None = Field(
        description="End to end: vision tower, projector, prefill, new tokens; null where not counted."
    )
    latency_s: float = Field(description="Measured; a batch's prefill and decoding divided by its size.")
    prompt_tokens: float | None = Field(description="null where nobody counts them, and so fast_tokens.")
    fast_tokens: float | None
    slow_tokens: float = Field(description="0 where the slow path is off: then nothing attends to them.")
    resumed: int = Field(description="Answers of earlier processes; so are their times.")


class CommunityRecord(Strict):
    """A row of the table that papers on efficient video models print (docs/comparing.md).

    All of a question's are means. What was not measured, or not in this way, is null.
    """

    frames: float
    visual_tokens: float | None = Field(
        description="In the LLM's prompt; null where of any question nobody knows them (an endpoint, the "
        "generic family): then the times of stages, tokens_per_s and peak_bytes are null, too."
    )
    all_visual_tokens: float | None = Field(
        description="What they were made from: the pooled tokens of all frames."
    )
    retained: float | None = Field(description="Percent of them that the prompt holds.")
    prefill_flops: float | None = Field(description="null where this kind of model's are not counted.")
    total_flops: float | None
    tower_s: float | None = Field(
        description="Vision tower and projector, of one video; null without visual_tokens, as other_s is."
    )
    other_s: float | None = Field(description="Upload, of one video.")
    llm_s: float | None = Field(
        description="Prefill of one question to its first token; null where questions came in batches."
    )
    tokens_per_s: float | None = Field(description="Decoding, of one sequence; null for one-token answers.")
    peak_bytes: int | None = Field(description="Of the device, or of the process where that is the CPU.")
    wall_s: float | None = Field(description="Of the run's process; null where it resumed another's answers.")
    samples_per_s: float | None = Field(description="Questions by wall_s without loading the model.")


class ComparedRun(Strict):
    name: str = Field(
        description="In `sf-eval run` also the name of its folder here, unless `folder` says another."
    )
    source: Literal["sf-eval", "lmms-eval"] = Field(
        "sf-eval", description='"lmms-eval": a sample log; what it does not say is null or absent.'
    )
    folder: str | None = Field(None, description="Where it lay; null where it is the folder called `name`.")
    complete: bool = Field(True, description="False where the run was stopped: its scores are of a part.")
    model: str
    title: str
    untrained: bool
    num_frames: int | None = Field(description="null where nobody said (a sample log).")
    scores: list[BenchmarkScore]
    mean: EstimateRecord | None = Field(description="Percent, over the benchmarks that enter the mean.")
    cost: CostRecord | None = Field(description="null where no question was answered, or nothing is known.")
    community: CommunityRecord | None = None
    is_control: bool = Field(
        default=False,
        description="Asked without its videos, or of no model, to compare with (docs/controls.md).",
    )


VerdictName = Literal["better", "worse", "no_difference", "too_few"]


class PairRecord(Strict):
    """The tested run against the reference on the same questions. All in percent or percentage points.

    What version 2 added is null in files of version 1.
    """

    benchmark: str | None = Field(description="null: the mean over benchmarks.")
    tested: float
    reference: float
    difference: EstimateRecord = Field(description="Tested minus reference, in percentage points.")
    relative: EstimateRecord | None = Field(
        description="100 * (tested / reference - 1); null where the reference got nothing right."
    )
    n: int = Field(description="Questions that both answered and that could be judged.")
    videos: int = Field(description="Clusters that were resampled.")
    verdict: VerdictName | None = None
    p_value: float | None = Field(
        None,
        description="Two-sided, by the resamples of the interval, and no less than an exact sign test can "
        "give; null without an interval.",
    )
    p_holm: float | None = Field(
        None, description="p_value by Holm's rule over the benchmarks of this gain; null for the mean."
    )
    mcnemar_p: float | None = Field(
        None,
        description="Exact, two-sided; takes questions for independent, so a second opinion. null, with "
        "gained and lost, where answers earn parts (WUPS).",
    )
    gained: int | None = Field(None, description="Questions that only the tested run got right.")
    lost: int | None = Field(None, description="Questions that only the reference got right.")
    agreement: float | None = Field(
        None,
        description="Percent of the questions from which the same letter, or none, was read; of open ones, "
        "to which both said the same words.",
    )
    detectable: float | None = Field(
        None,
        description="Smallest true difference that these questions show with a power of 80%, in percentage "
        "points (docs/comparing.md).",
    )


class GroupGainRecord(Strict):
    """The group scores of both on the same groups of questions (docs/benchmarks/videomme_v2.md)."""

    benchmark: str
    part: str = Field(description='"all", "consistency", "coherence", or a level ("level 1").')
    tested: float = Field(description="Mean over the groups, 0 to 100.")
    reference: float
    difference: EstimateRecord = Field(
        description="Tested minus reference, in points; a group is one observation, since a video has one."
    )
    p_value: float | None = Field(description="As of a PairRecord.")
    groups: int = Field(description="Groups whose four questions both answered.")
    left_out: int = Field(description="Other groups that both were asked of.")


class FlipRecord(Strict):
    """A question that only one of the two got right; none that either got partly right (WUPS)."""

    task: str
    question_id: str
    video: str
    gained: bool = Field(description="The tested run is right; else the reference is.")
    target: str | None
    tested: str | None = Field(
        description="The letter read from its output, null for none; of an open answer its words, normalised."
    )
    reference: str | None


class ShownRecord(Strict):
    """Whether both runs showed the same, question by question, by the digests in `samples.jsonl`."""

    compared: int = Field(description="Questions of which both say which pixels they showed.")
    unknown: int = Field(description="Those of which one does not: an older run, or a sample log.")
    other_frames: list[str] = Field(description="TASK/QUESTION, where other frames were shown.")
    other_pixels: list[str] = Field(
        description="Where the frames were the same and their pixels were not: another decoder, size or file."
    )


class UnmatchedRecord(Strict):
    """Questions that only one of the two was asked, or that are not the same in both. TASK/QUESTION each."""

    only_tested: list[str]
    only_reference: list[str]
    differing: list[str] = Field(description="The same id, but other options or another truth: left out.")


class UnreadRecord(Strict):
    """Lines of a sample log that no question was found for."""

    run: str
    reason: str
    lines: int
    examples: list[str] = Field(description="TASK/DOC_ID of the first of them.")


class VerdictRecord(Strict):
    verdict: VerdictName
    sentence: str


class GainRecord(Strict):
    tested: str
    reference: str
    same_questions: bool = Field(description="Whether both were asked the same questions.")
    left_out: int = Field(
        description="Questions that both were asked, and that only one of them has a judged answer to."
    )
    not_judged: int = Field(
        default=0, description="Those of `left_out` that no judge was asked about in one run."
    )
    judge_errors: int = Field(default=0, description="Those of `left_out` to which a judge gave no verdict.")
    mean_over: list[str] | None = Field(
        None, description="The benchmarks of `overall`: those in the mean that both were asked."
    )
    overall: PairRecord | None
    by_benchmark: list[PairRecord]
    group_scores: list[GroupGainRecord] = Field(
        default_factory=list, description="Of benchmarks whose questions are also scored in groups."
    )
    verdict: VerdictRecord | None = None
    flips: list[FlipRecord] = Field(default_factory=list)
    shown: ShownRecord | None = None
    unmatched: UnmatchedRecord | None = None


class KindScore(Strict):
    run: str
    n: int
    accuracy: float
    interval95: tuple[float, float] | None = Field(description="Clustered by video (docs/scoring.md).")


class KindRecord(Strict):
    """A kind of question of the mini editions, or a group of kinds, over all benchmarks together."""

    name: str
    is_group: bool
    chance: float = Field(description="Percent right by guessing: the mean of 1 / number of options.")
    scores: list[KindScore]


class ComparisonRecord(Strict):
    """`comparison.json`; earlier versions are still read.

    Version 2 added verdicts, flips and what was shown, version 3 group scores.
    """

    schema_version: Literal[1, 2, 3] = 3
    created: str = Field(description="UTC, ISO 8601.")
    command: list[str]
    data: str = Field(description='The data source; "mini edition ..." is not the benchmark.')
    seed: int = Field(description="Of the bootstrap.")
    resamples: int
    mean_rule: str = Field(description="Which benchmarks enter the mean, as a sentence.")
    notes: list[str] = Field(description="What a reader must know before quoting a number.")
    machine: str
    benchmarks: list[BenchmarkColumn]
    runs: list[ComparedRun] = Field(description="The first is tested, the others are its references.")
    gains: list[GainRecord]
    kinds: list[KindRecord] = Field(description="Empty for real data, which has no kinds.")
    tell: float = Field(
        5.0, description="Percentage points that one wants to be able to tell: fewer questions are too few."
    )
    unread: list[UnreadRecord] = Field(default_factory=list)


def main() -> None:
    """Write the JSON schema to docs/schemas."""
    from sf_eval.core import files

    schema = ComparisonRecord.model_json_schema()
    files.write_json(Path("docs/schemas") / "comparison.schema.json", schema)


if __name__ == "__main__":
    main()
