"""What a run's `profile.json` holds, typed and versioned (docs/schemas/run_profile.md).

The JSON schema in `docs/schemas/` is made from these classes (`python -m sf_eval.report.run_profile_record`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from sf_eval.harness.record import MemoryRecord
from sf_eval.harness.recorded.strict import Strict

Who = Literal["model", "same_budget", "same_frames"]
Stage = Literal["decode_s", "preprocess_s", "upload_s", "vision_s", "prefix_s", "prefill_s", "generate_s"]
TokenCount = Literal["num_frames", "prompt_tokens", "fast_tokens", "slow_tokens", "new_tokens"]


class FlopsRecord(Strict):
    """Mean FLOPs per question, part by part."""

    vision_flops: float
    projector_flops: float
    pooling_flops: float
    prefill_flops: float = Field(description="The LLM on the prompt, cross_attention_flops included.")
    cross_attention_flops: float
    decode_flops: float = Field(description="All decoding steps; the prefill gives the first new token.")
    total_flops: float


class CostRecord(Strict):
    """Mean cost per question of one model over one group of answered questions."""

    group: str = Field(description='"all", a benchmark\'s title, or one of its duration groups.')
    who: Who = Field(
        description="model; same_budget: self-attention only, shown as many frames as the model has fast "
        "frames; same_frames: self-attention only, shown the same frames."
    )
    questions: int = Field(description="How many the mean is over.")
    flops: FlopsRecord
    flops_per_correct: float | None = Field(
        description="All FLOPs of the group per correct answer; null for baselines, and if none was right."
    )
    seconds: float | None = Field(
        description="Mean measured seconds per question, a batch's prefill and decoding divided among its "
        "samples; null for baselines, which were not run."
    )


class RangeRecord(Strict):
    mean: float
    min: int
    max: int


class StageRecord(Strict):
    """Seconds of one stage over the answered questions."""

    median: float
    p90: float | None = Field(description="null for fewer than 10 questions.")
    max: float
    n: int


class RunProfile(Strict):
    """`profile.json` of a run."""

    schema_version: Literal[2] = 2
    model: str
    title: str
    data: str = Field(description='The data source; "mini edition ..." is not the benchmark.')
    convention: str = Field(description="How FLOPs are counted.")
    decode: Literal["cached", "without"] = Field(
        description="What decoding steps read of slow tokens: cached keys and values, or nothing "
        "(--published-decoding)."
    )
    caveats: list[str] = Field(description="What a reader must know before quoting a number.")
    machine: dict[str, Any]
    dtype: str
    attn: str
    batch_size: int
    questions: int = Field(description="Answered questions that the rest describes.")
    resumed: int = Field(description="How many of them an earlier process answered, and timed.")
    text_before_video: int = Field(
        description="Text tokens before the video; they query no slow tokens under masksystem."
    )
    tokens: dict[TokenCount, RangeRecord]
    flops: list[CostRecord] = Field(
        description="Empty where the FLOPs of these answers are not counted. Baselines are of slow-fast "
        "models alone."
    )
    latency: dict[Stage, StageRecord] = Field(
        description="Per stage; decode_s to prefix_s are a video's, prefill_s and generate_s a batch's."
    )
    questions_per_video: float | None = Field(
        description="How many questions shared a video's times, in the mean; null where none was answered."
    )
    seconds: float | None = Field(
        default=None,
        description="Mean measured seconds per question, a batch's prefill and decoding divided among its "
        "samples; null where none was answered.",
    )
    load_seconds: float
    memory: MemoryRecord | None = Field(
        description="null where nobody measured it (`sf-eval score` of a killed run)."
    )


def main() -> None:
    """Write the JSON schema to docs/schemas."""
    from pathlib import Path

    from sf_eval.core import files

    files.write_json(Path("docs/schemas/run_profile.schema.json"), RunProfile.model_json_schema())


if __name__ == "__main__":
    main()
