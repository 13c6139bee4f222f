"""From names and frames to an `AttachedProfile`: plain, pooled and attached, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import Any

from sf_eval.core.errors import UsageError, nearest
from sf_eval.profiler.cost.attached import EVERY_N_LAYERS, PLAIN, Compression, attached_cost
from sf_eval.profiler.cost.families import FAMILY_SHAPES, FamilyShape
from sf_eval.profiler.record import TraceRecord

SUFFIX = "+slow"
SCHEMA_VERSION = 1
COMPRESSIONS = (Compression(2, 2), Compression(4, 2))
DEFAULT_FRAMES = (16, 64, 128, 256)


@dataclass(frozen=True)
class AttachedRow:
    """One model at one number of frames. FLOPs are 2 per multiply-add; causal attention is halved.

    Attributes:
        kind: "plain", "pooled" (fast tokens alone) or "attached".
        fast_share: 1/n of the video tokens in the language model, as "1/16"; "1" for the plain model.
        slow_path_flops: of `prefill_flops`, what the slow path adds.
        vision_flops: tower, projector and the family's own pooling.
        total_flops: vision and prefill: end to end up to the first token.
        kv_bytes: of the prompt in 16 bits, slow keys and values among them.
        trace: whether FlopCounterMode over the real modules on meta confirms this number of frames.
    """

    kind: str
    fast_share: str
    frames: int
    fast_tokens: int
    slow_tokens: int
    prompt_tokens: int
    prefill_flops: int
    slow_path_flops: int
    vision_flops: int
    total_flops: int
    kv_bytes: int
    added_weights: int
    exceeds_context: bool
    trace: TraceRecord


@dataclass(frozen=True)
class AttachedProfile:
    """What `sf-eval profile --model NAME+slow` found (docs/schemas/attached_profile.md).

    Attributes:
        setting: how the family's processor sizes frames, and the tokens that come of it.
        source: where the shape was published.
    """

    model: str
    title: str
    source: str
    setting: str
    text_tokens: int
    hybrid_layers: tuple[int, ...]
    command: str
    created: str
    versions: dict[str, str]
    rows: tuple[AttachedRow, ...]
    schema_version: int = field(default=SCHEMA_VERSION)

    def row(self, frames: int, kind: str, share: str) -> AttachedRow:
        return next(
            row for row in self.rows if (row.frames, row.kind, row.fast_share) == (frames, kind, share)
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, schema version first."""
        data = asdict(self)
        return {"schema_version": data.pop("schema_version"), **data}


def is_attached_name(model: str) -> bool:
    return model.endswith(SUFFIX)


def make_attached_profile(
    model: str,
    *,
    against: tuple[str, ...] = (),
    frames: tuple[int, ...] = (),
    text_tokens: int = 100,
    traced: bool = True,
    command: str = "",
    say: Callable[[str], None] = lambda _: None,
) -> AttachedProfile:
    """Cost of NAME+slow beside plain NAME and the pooled control.

    Raises:
        UsageError: an unknown name, or an `against` that is not the model without its slow path.
    """
    shape = _shape(model)
    if wrong := [name for name in against if name != shape.name]:
        raise UsageError(
            f"{model} is compared with {shape.name}, plain and pooled, not with {wrong[0]}.",
            hint=f"Leave --against away, or give --against {shape.name}.",
        )
    counts = frames or DEFAULT_FRAMES
    records = dict.fromkeys(counts, TraceRecord("not traced"))
    if traced:
        records = _traced(shape, counts, text_tokens, say)
    rows = [
        _row(shape, count, text_tokens, compression, records[count])
        for count in counts
        for compression in _compared()
    ]
    from sf_eval.profiler.profile import versions

    return AttachedProfile(
        model=model,
        title=shape.title,
        source=shape.source,
        setting=shape.setting,
        text_tokens=text_tokens,
        hybrid_layers=tuple(range(0, shape.decoder.layers, EVERY_N_LAYERS)),
        command=command,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=versions(),
        rows=tuple(rows),
    )


def _shape(model: str) -> FamilyShape:
    name = model.removesuffix(SUFFIX)
    if name not in FAMILY_SHAPES:
        known = [f"{known}{SUFFIX}" for known in FAMILY_SHAPES]
        raise UsageError(f"the cost of {model} is not known.", hint=nearest(model, known))
    return FAMILY_SHAPES[name]


def _compared() -> tuple[Compression, ...]:
    pooled = tuple(Compression(one.temporal_stride, one.spatial_stride, slow=False) for one in COMPRESSIONS)
    return (PLAIN, *pooled, *COMPRESSIONS)


def _row(
    shape: FamilyShape, frames: int, text_tokens: int, compression: Compression, record: TraceRecord
) -> AttachedRow:
    cost = attached_cost(shape, frames, text_tokens, compression)
    pooled = "plain" if compression == PLAIN else "pooled"
    return AttachedRow(
        kind="attached" if compression.slow else pooled,
        fast_share="1" if compression.inverse == 1 else f"1/{compression.inverse}",
        frames=frames,
        fast_tokens=cost.fast_tokens,
        slow_tokens=cost.slow_tokens,
        prompt_tokens=cost.prompt_tokens,
        prefill_flops=2 * cost.prefill,
        slow_path_flops=2 * cost.slow_path,
        vision_flops=2 * cost.vision,
        total_flops=2 * cost.total,
        kv_bytes=cost.kv_bytes,
        added_weights=cost.added_weights,
        exceeds_context=cost.prompt_tokens > shape.decoder.context_tokens,
        trace=record,
    )


def _traced(
    shape: FamilyShape, counts: tuple[int, ...], text_tokens: int, say: Callable[[str], None]
) -> dict[int, TraceRecord]:
    from sf_eval.profiler.traced import attached
    from sf_eval.profiler.traced.ops import TraceError

    say(f"building {shape.name}")
    model = attached.build(shape)
    records = {}
    for frames in counts:
        say(f"tracing {shape.name} at {frames} frames")
        try:
            found = attached.differences(shape, model, frames, text_tokens, _compared())
        except TraceError as error:
            records[frames] = TraceRecord("failed", reason=str(error))
            continue
        differing = tuple({**asdict(one), "term": ""} for one in found)
        records[frames] = TraceRecord(
            "differs" if found else "agrees", parts=1 + len(_compared()), differences=differing
        )
    return records
