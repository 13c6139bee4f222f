"""The report's tables as plain text cells, once for the terminal, markdown and HTML alike."""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.profiler import format as fmt
from sf_eval.profiler.closed_form import Unit
from sf_eval.profiler.record import Profile, ProfileRow

_CONVENTIONS = {
    "halved": "causal self-attention counted as half of the square",
    "full": "causal self-attention counted as the whole square",
}

# Parts of the breakdown table in the order the work is done: sums of keys of `ProfileRow.breakdown`.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vision tower", ("vision",)),
    ("projector", ("projector",)),
    ("pooling", ("pooling",)),
    ("prefill: attention projections", ("prefill_attention_projections",)),
    ("prefill: self-attention", ("prefill_self_attention",)),
    ("prefill: MLP", ("prefill_mlp",)),
    ("prefill: logits", ("prefill_logits",)),
    ("cross-attention: K/V projection", ("prefill_cross_kv_projection",)),
    ("cross-attention: attention", ("prefill_cross_attention",)),
    ("cross-attention: gate", ("prefill_cross_gate",)),
    ("decoding", ("decode",)),
)


@dataclass(frozen=True)
class Table:
    """Cells as text; the first `text_columns` columns are left-aligned, the rest are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text_columns: int = 1
    note: str = ""


def convention_line(profile: Profile) -> str:
    """What the numbers count; stands beside every table."""
    row = profile.main
    unit = "FLOP = 2 per multiply-add" if profile.unit == "flop" else "MAC = one multiply-add"
    return f"{unit}; {_CONVENTIONS[row.convention]}; decoding {_DECODE[row.decode]}"


_DECODE = {
    "cached": "with the slow tokens' K/V cached",
    "published": "as published: slow tokens' K/V projected again at every step",
    "without": "without slow tokens",
}


def summary_table(profile: Profile) -> Table:
    """Every row's parts in tera, and its ratios to the first row it is compared with."""
    unit = Unit(profile.unit)
    base = profile.against[0]
    power, name = fmt.scale_for(min(row.total_flops for row in profile.rows), unit)
    body = []
    for row in profile.rows:
        parts = (
            row.vision_flops,
            row.projector_flops,
            row.pooling_flops,
            row.prefill_flops,
            row.cross_attention_flops,
            row.decode_flops_per_token,
            row.total_flops,
        )
        body.append(
            (
                row.model,
                str(row.frames),
                f"{row.slow_tokens:,}",
                f"{row.fast_tokens:,}",
                *(fmt.scaled(value, unit, power) for value in parts),
                *_ratios(row, base),
                row.trace.status,
            )
        )
    main = profile.main
    return Table(
        title=f"Cost of a question in {name}: {main.text_tokens} text tokens, "
        f"{main.new_tokens} new tokens, batch {main.batch_size}",
        columns=(
            "model", "frames", "slow tokens", "fast tokens", "vision", "projector", "pooling", "prefill",
            "of it cross", "decode/token", "total", "prefill ratio", "total ratio", "trace",
        ),
        rows=tuple(body),
        note=f"{convention_line(profile)}. Ratios to {base.model} at {base.frames} frames. "
        "The total holds the prefill (cross-attention in it) and all decoding steps.",
    )  # fmt: skip


def _ratios(row: ProfileRow, base: ProfileRow) -> tuple[str, str]:
    if row is base:
        return "baseline", "baseline"
    return (
        fmt.ratio(row.prefill_flops / base.prefill_flops),
        fmt.ratio(row.total_flops / base.total_flops),
    )


def breakdown_table(profile: Profile) -> Table:
    """Part by part: the model beside the first row it is compared with."""
    unit = Unit(profile.unit)
    model, base = profile.main, profile.against[0]
    body = []
    for part, keys in PARTS:
        mine, theirs = part_flops(model, keys), part_flops(base, keys)
        if mine or theirs:
            body.append(_part_row(part, mine, theirs, model, base, unit))
    prefill = _part_row("LLM prefill", model.prefill_flops, base.prefill_flops, model, base, unit)
    total = _part_row("end to end", model.total_flops, base.total_flops, model, base, unit)
    return Table(
        title=f"Where the work is: {model.model} at {model.frames} frames, {base.model} at {base.frames}",
        columns=("part", model.model, "share", base.model, "share", "ratio"),
        rows=(*body, prefill, total),
        note=f"{convention_line(profile)}. 'LLM prefill' is the paper's measure, cross-attention included.",
    )


def part_flops(row: ProfileRow, keys: tuple[str, ...]) -> int:
    """FLOPs of the parts whose name is one of `keys` or begins with one that groups ("vision", "decode")."""
    groups = [key for key in keys if key in ("vision", "decode")]
    return sum(
        value
        for name, value in row.breakdown.items()
        if name in keys or any(name.startswith(f"{group}_") for group in groups)
    )


def _part_row(
    part: str, mine: int, theirs: int, model: ProfileRow, base: ProfileRow, unit: Unit
) -> tuple[str, ...]:
    return (
        part,
        fmt.work(mine, unit),
        fmt.share(mine, model.total_flops),
        fmt.work(theirs, unit),
        fmt.share(theirs, base.total_flops),
        fmt.ratio(mine / theirs) if theirs else "-",
    )


def growth_table(profile: Profile) -> Table:
    """First and last value of every quantity, and its order of growth."""
    unit = Unit(profile.unit)
    growth = profile.growth
    first, last = growth.frames[0], growth.frames[-1]
    body = []
    for series in growth.series:
        show = fmt.size if series.unit == "byte" else (lambda value: fmt.work(value, unit))
        body.append(
            (
                series.model,
                series.quantity,
                show(series.values[0]),
                show(series.values[-1]),
                f"{series.order:.2f}",
                f"{series.order_at_end:.2f}",
            )
        )
    return Table(
        title=f"Growth from {first} to {last} frames",
        columns=("model", "quantity", f"{first} frames", f"{last} frames", "order", "order at the end"),
        rows=tuple(body),
        text_columns=2,
        note="Order k: the value grows like frames^k (least-squares slope of the logarithms over all points, "
        "and over the last four). Memory in bfloat16, for one batch.",
    )


def all_tables(profile: Profile) -> tuple[Table, ...]:
    tables = [summary_table(profile), breakdown_table(profile), growth_table(profile)]
    if profile.measured is not None:
        from sf_eval.profiler.measured_tables import measured_tables

        tables += measured_tables(profile.measured)
    return tuple(tables)
