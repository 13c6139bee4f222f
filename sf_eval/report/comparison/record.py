"""What a comparison of several runs leaves behind: `comparison.json`, typed and versioned.

The JSON schema in `docs/schemas/` is made from these classes (`python -m sf_eval.report.comparison.record`).
How each number is made: docs/comparing.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from sf_eval.harness.record import ScoreRecord, Strict


class EstimateRecord(Strict):
    value: float
    interval95: tuple[float, float] | None = Field(
        description="By a bootstrap over videos; null where there are too few videos, or where a ratio is "
        "asked for and one of the two got nothing right in some resample."
    )


class BenchmarkColumn(Strict):
    """A benchmark of the comparison: a task of its own, or a group's tasks together."""

    name: str
    title: str
    tasks: list[str]
    in_mean: bool = Field(description="Whether it enters the mean over benchmarks.")
    remark: str = Field(description="How its score is made, where it is not all questions alike.")


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
    prompt_tokens: float
    fast_tokens: float
    slow_tokens: float = Field(description="0 where the slow path is off: then nothing attends to them.")
    resumed: int = Field(description="Answers of earlier processes; so are their times.")


class ComparedRun(Strict):
    name: str = Field(description="Also the name of its folder beside this file.")
    model: str
    title: str
    untrained: bool
    num_frames: int
    scores: list[BenchmarkScore]
    mean: EstimateRecord | None = Field(description="Percent, over the benchmarks that enter the mean.")
    cost: CostRecord | None = Field(description="null where no question was answered.")


class PairRecord(Strict):
    """The tested run against the reference on the same questions. All in percent or percentage points."""

    benchmark: str | None = Field(description="null: the mean over benchmarks.")
    tested: float
    reference: float
    difference: EstimateRecord = Field(description="Tested minus reference, in percentage points.")
    relative: EstimateRecord | None = Field(
        description="100 * (tested / reference - 1); null where the reference got nothing right."
    )
    n: int = Field(description="Questions that both answered and that could be judged.")
    videos: int = Field(description="Clusters that were resampled.")


class GainRecord(Strict):
    tested: str
    reference: str
    same_questions: bool = Field(description="Whether both were asked the same questions.")
    left_out: int = Field(description="Questions that only one of them has a judged answer to.")
    overall: PairRecord | None
    by_benchmark: list[PairRecord]


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
    """`comparison.json`."""

    schema_version: Literal[1] = 1
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


def main() -> None:
    """Write the JSON schema to docs/schemas."""
    from sf_eval.core import files

    schema = ComparisonRecord.model_json_schema()
    files.write_json(Path("docs/schemas") / "comparison.schema.json", schema)


if __name__ == "__main__":
    main()
