"""What a profile is: the dataclasses behind `profile.json` (docs/schemas/profile.md)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SCHEMA_VERSION = 3


@dataclass(frozen=True)
class TraceRecord:
    """Whether the trace confirmed a row.

    Attributes:
        status: "agrees", "differs", "only traced" (no closed form), "failed" or "not traced".
        parts: parts compared, one by one.
        differences: part, closed form, trace and the term that accounts for the difference, in MACs.
        reason: why a forward pass could not be traced.
    """

    status: str
    parts: int = 0
    differences: tuple[dict[str, Any], ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class ProfileRow:
    """One model at one number of frames. FLOPs are 2 per multiply-add, of the whole batch; memory in bytes.

    Attributes:
        role: "model", "against" (what it is compared with) or "same frames" (self-attention only).
        prompt_tokens: text and visual tokens that the LLM reads.
        context_tokens: longest prompt that the model takes; None where nothing says.
        exceeds_context: the model refuses this prompt, so the row is arithmetic only.
        prefill_flops: includes `cross_attention_flops`.
        decode_flops_per_token: the first decoding step of one batch.
        decode_flops: all `new_tokens - 1` decoding steps.
        total_flops: vision + projector + pooling + prefill + decode.
        convention: how causal self-attention is counted: "halved" or "full".
        decode: what a decoding step does with slow tokens: "cached", "published" or "without".
        breakdown: the same FLOPs in finer parts; they add up to `total_flops`.
        kv_cache_bytes: self-attention keys and values after the last token.
        slow_bytes: the slow tokens' keys and values, all hybrid layers.
    """

    model: str
    title: str
    role: str
    frames: int
    slow_tokens: int
    fast_tokens: int
    fast_frames: int
    prompt_tokens: int
    context_tokens: int | None
    exceeds_context: bool
    text_tokens: int
    new_tokens: int
    batch_size: int
    vision_flops: int
    projector_flops: int
    pooling_flops: int
    prefill_flops: int
    cross_attention_flops: int
    decode_flops_per_token: int
    decode_flops: int
    total_flops: int
    convention: str
    decode: str
    breakdown: dict[str, int]
    kv_cache_bytes: int
    slow_bytes: int
    trace: TraceRecord
    notes: str = ""


@dataclass(frozen=True)
class Comparison:
    """One row beside the row it is compared with; ratios of FLOPs (1.02 is 2% more)."""

    model: str
    frames: int
    against: str
    against_frames: int
    prefill_ratio: float
    total_ratio: float


@dataclass(frozen=True)
class GrowthSeries:
    """One quantity over the frames of `Growth`, for one model.

    Attributes:
        order: slope of log(value) over log(frames), least squares over all points; 1 is linear, 2 quadratic.
        order_at_end: the same over the last four points.
        frames_in_context: the largest number of frames whose prompt the model takes; 0 if it takes none.
    """

    model: str
    quantity: str
    unit: str
    values: tuple[int, ...]
    order: float
    order_at_end: float
    frames_in_context: int


@dataclass(frozen=True)
class Growth:
    frames: tuple[int, ...]
    series: tuple[GrowthSeries, ...]


@dataclass(frozen=True)
class Profile:
    """Everything that `sf-eval profile` found.

    Attributes:
        model, frames: the row that the report is about.
        unit: what the tables show, "flop" or "mac"; the FLOPs of `rows` are FLOPs in any case.
        words: the report's findings, one sentence or two each.
        measured: latency and memory (`measure.Measurement` as plain data); None where nothing was measured.
    """

    model: str
    frames: int
    command: str
    created: str
    versions: dict[str, str]
    unit: str
    rows: tuple[ProfileRow, ...]
    comparisons: tuple[Comparison, ...]
    growth: Growth
    words: tuple[str, ...]
    measured: dict[str, Any] | None = None
    schema_version: int = field(default=SCHEMA_VERSION)

    @property
    def main(self) -> ProfileRow:
        """The row that the report is about."""
        own = [row for row in self.rows if row.role == "model" and row.frames == self.frames]
        return own[0]

    @property
    def against(self) -> tuple[ProfileRow, ...]:
        """What it is compared with."""
        return tuple(row for row in self.rows if row.role == "against")

    def to_json(self) -> dict[str, Any]:
        """Plain data, schema version first."""
        data = asdict(self)
        return {"schema_version": data.pop("schema_version"), **data}
