"""The findings of a profile in plain words, made from its numbers and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.profiler import format as fmt
from sf_eval.profiler.cost.closed_form import Unit
from sf_eval.profiler.record import Comparison, Growth, GrowthSeries, ProfileRow


def findings(
    main: ProfileRow,
    rows: Sequence[ProfileRow],
    comparisons: Sequence[Comparison],
    growth: Growth,
    unit: Unit,
) -> tuple[str, ...]:
    """What the slow path of `main` costs, where the work sits, what grows how, and what the trace says."""
    said = [_against(pair) for pair in comparisons if (pair.model, pair.frames) == (main.model, main.frames)]
    said += _beyond_context(rows)
    said.append(_where(main, unit))
    if main.slow_tokens:
        said.append(_slow_path(main, unit))
    said += _growth(growth)
    said.append(_WHY if main.slow_tokens else _WHY_WITHOUT_SLOW_PATH)
    said.append(_trace(rows))
    return tuple(said)


_WHY = (
    "Why: every frame passes the tower, the projector and the slow tokens' projection once, and each text "
    "token reads each slow token once, which is linear in frames. Fast tokens keep to a floor of frames at "
    "first and follow the number of frames beyond it; self-attention in the LLM is quadratic in the fast "
    "tokens, its linear layers are linear in them."
)

_WHY_WITHOUT_SLOW_PATH = (
    "Why: every frame passes the tower and the projector once, which is linear in frames. Visual tokens keep "
    "to a floor of frames where they are pooled and follow the number of frames beyond it; self-attention in "
    "the LLM is quadratic in them, its linear layers are linear in them."
)


def _against(pair: Comparison) -> str:
    return (
        f"{pair.model} at {pair.frames} frames against {pair.against} at {pair.against_frames} frames: "
        f"work changes by {fmt.change(pair.prefill_ratio)} in the LLM's prefill and by "
        f"{fmt.change(pair.total_ratio)} end to end."
    )


def _beyond_context(rows: Sequence[ProfileRow]) -> list[str]:
    """Rows that are arithmetic only."""
    return [
        f"{row.model} at {row.frames} frames does not fit: its prompt of {row.prompt_tokens:,} tokens "
        f"exceeds the model's context of {row.context_tokens:,}. The model refuses it; its figures are "
        "arithmetic only."
        for row in rows
        if row.exceeds_context
    ]


def _where(row: ProfileRow, unit: Unit) -> str:
    return (
        f"{row.model} at {row.frames} frames takes {fmt.work(row.total_flops, unit)}: the vision tower "
        f"{fmt.share(row.vision_flops, row.total_flops)}, the prefill "
        f"{fmt.share(row.prefill_flops, row.total_flops)}, decoding {row.new_tokens - 1} tokens "
        f"{fmt.share(row.decode_flops, row.total_flops)}, projector and pooling "
        f"{fmt.share(row.projector_flops + row.pooling_flops, row.total_flops)}."
    )


def _slow_path(row: ProfileRow, unit: Unit) -> str:
    return (
        f"The slow path shows the LLM {row.slow_tokens:,} more tokens beside {row.fast_tokens:,} fast ones, "
        f"for {fmt.work(row.cross_attention_flops, unit)} or "
        f"{fmt.share(row.cross_attention_flops, row.prefill_flops)} of the prefill "
        f"({fmt.share(row.cross_attention_flops, row.total_flops)} of everything) and "
        f"{fmt.size(row.slow_bytes)} of keys and values."
    )


def _growth(growth: Growth) -> list[str]:
    said = []
    span = f"from {growth.frames[0]} to {growth.frames[-1]} frames"
    for model in dict.fromkeys(series.model for series in growth.series):
        mine = [series for series in growth.series if series.model == model]
        linear = [series.quantity for series in mine if _kind(series) == "linear"]
        others = [_described(series) for series in mine if _kind(series) != "linear"]
        text = f"{model}, {span}: "
        text += f"linear in frames are {fmt.listed(linear)}" if linear else "nothing is linear in frames"
        said.append(text + (f"; otherwise grow {fmt.listed(others)}." if others else "."))
    return said


def _kind(series: GrowthSeries) -> str:
    """Linear means an order within 0.05 of 1, both over the whole range and at its end."""
    near_one = abs(series.order - 1) <= 0.05 and abs(series.order_at_end - 1) <= 0.05
    return "linear" if near_one else "other"


def _described(series: GrowthSeries) -> str:
    rise = series.values[-1] / series.values[0]
    return (
        f"{series.quantity}, by {fmt.change(rise)} in all (twice the frames add "
        f"{fmt.change(2**series.order)} over the whole range, {fmt.change(2**series.order_at_end)} at its "
        "upper end)"
    )


def _trace(rows: Sequence[ProfileRow]) -> str:
    if all(row.trace.status in ("not traced", "only traced") for row in rows):
        return "Counted once: no row was both traced and counted in closed form."
    agreeing = [row for row in rows if row.trace.status == "agrees"]
    parts = sum(row.trace.parts for row in agreeing)
    text = (
        f"Counted twice: {len(agreeing)} of {len(rows)} rows were also traced over the real module and "
        f"agree in every one of {parts} parts."
    )
    differing = [f"{row.model} at {row.frames} frames" for row in rows if row.trace.status == "differs"]
    failed = [f"{row.model}: {row.trace.reason}" for row in rows if row.trace.status == "failed"]
    if differing:
        text += f" The trace differs for {fmt.listed(differing)}."
    if failed:
        text += f" Not traceable: {fmt.listed(failed)}."
    return text
