"""The report's tables as plain text cells, once for the terminal, markdown and HTML alike."""

from __future__ import annotations

from sf_eval.core.tables import ABSENT, Table
from sf_eval.profiler import format as fmt
from sf_eval.profiler.cost.closed_form import Unit
from sf_eval.profiler.record import GrowthSeries, Profile, ProfileRow

_CONVENTIONS = {
    "halved": "causal self-attention counted as half of the square",
    "full": "causal self-attention counted as the whole square",
}

# Parts of the breakdown table in the order the work is done: sums of keys of `ProfileRow.breakdown`.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("vision tower", ("vision",)),
    ("projector", ("projector",)),
    ("pooling", ("pooling",)),
    ("LLM: projections", ("prefill_attention_projections",)),
    ("LLM: self-attention", ("prefill_self_attention",)),
    ("LLM: MLP", ("prefill_mlp",)),
    ("LLM: logits", ("prefill_logits",)),
    ("cross-attention: K/V", ("prefill_cross_kv_projection",)),
    ("cross-attention", ("prefill_cross_attention",)),
    ("cross-attention: gate", ("prefill_cross_gate",)),
    ("decoding", ("decode",)),
)


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


def token_table(profile: Profile) -> Table:
    """What each row's LLM reads, and the memory that grows with it."""
    return Table(
        title=f"What the LLM reads beside {profile.main.text_tokens} text tokens",
        columns=("model", "frames", "slow tokens", "fast tokens", "KV cache", "slow-token memory"),
        rows=tuple(
            (
                row.model,
                str(row.frames),
                f"{row.slow_tokens:,}",
                f"{row.fast_tokens:,}",
                fmt.size(row.kv_cache_bytes),
                fmt.size(row.slow_bytes),
            )
            for row in profile.rows
        ),
        numeric=frozenset({"frames", "slow tokens", "fast tokens", "KV cache", "slow-token memory"}),
        notes=(
            "Fast tokens stand in the prompt; slow tokens are cross-attended to. Memory: keys and values in "
            f"bfloat16 after {profile.main.new_tokens} new tokens, batch {profile.main.batch_size}.",
        ),
    )


def cost_table(profile: Profile) -> Table:
    """Every row's work, all in one unit."""
    unit = Unit(profile.unit)
    power, name = fmt.scale_for(min(row.total_flops for row in profile.rows), unit)
    body = []
    for row in profile.rows:
        parts = (
            row.vision_flops + row.projector_flops + row.pooling_flops,
            row.prefill_flops,
            row.cross_attention_flops,
            row.decode_flops_per_token,
            row.total_flops,
        )
        body.append((row.model, str(row.frames), *(fmt.scaled(value, unit, power) for value in parts)))
    main = profile.main
    return Table(
        title=f"Cost of a question in {name}: {main.text_tokens} text tokens, "
        f"{main.new_tokens} new tokens, batch {main.batch_size}",
        columns=("model", "frames", "vision", "prefill", "slow path", "a new token", "total"),
        rows=tuple(body),
        numeric=frozenset({"frames", "vision", "prefill", "slow path", "a new token", "total"}),
        notes=(
            f"{convention_line(profile)}.",
            "Vision: tower, projector and pooling. Slow path: cross-attention, a part of the prefill. "
            f"Total: vision, prefill and {main.new_tokens - 1} decoding steps.",
        ),
    )


def ratio_tables(profile: Profile) -> list[Table]:
    """Every row beside each one it is compared with, and whether the trace confirmed it."""
    return [_ratios(profile, base) for base in profile.against]


def _ratios(profile: Profile, base: ProfileRow) -> Table:
    body = []
    for row in profile.rows:
        ratios = ("baseline", "baseline")
        if row is not base:
            ratios = (
                fmt.ratio(row.prefill_flops / base.prefill_flops),
                fmt.ratio(row.total_flops / base.total_flops),
            )
        body.append((row.model, str(row.frames), *ratios, row.trace.status))
    return Table(
        title=f"Work beside {base.model} at {base.frames} frames",
        columns=("model", "frames", "LLM prefill", "end to end", "trace"),
        rows=tuple(body),
        numeric=frozenset({"frames", "LLM prefill", "end to end"}),
        notes=("LLM prefill: the paper's measure, cross-attention included.",),
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
        title=f"Where the work is: {model.model} at {model.frames} frames, "
        f"baseline {base.model} at {base.frames}",
        columns=("part", "model", "share", "baseline", "its share", "ratio"),
        rows=(*body, prefill, total),
        numeric=frozenset({"model", "share", "baseline", "its share", "ratio"}),
        notes=(
            f"{convention_line(profile)}.",
            "LLM prefill: the paper's measure, the LLM's and the cross-attention's parts together. K/V: "
            "projection of the slow tokens.",
        ),
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
        fmt.ratio(mine / theirs) if theirs else ABSENT,
    )


def growth_tables(profile: Profile) -> list[Table]:
    """One a model: first and last value of every quantity, and its order of growth."""
    growth = profile.growth
    first, last = (f"{frames} frames" for frames in (growth.frames[0], growth.frames[-1]))
    made: list[Table] = []
    for model in dict.fromkeys(series.model for series in growth.series):
        mine = [series for series in growth.series if series.model == model]
        made.append(
            Table(
                title=f"Growth of {model} from {growth.frames[0]} to {last}",
                columns=("quantity", first, last, "order", "at the end"),
                rows=tuple(_growth_row(series, Unit(profile.unit)) for series in mine),
                numeric=frozenset({first, last, "order", "at the end"}),
                notes=(_ORDER,) if not made else (),
            )
        )
    return made


_ORDER = (
    "Order k: the value grows like frames^k (least-squares slope of the logarithms over all points, and over "
    "the last four). Memory in bfloat16, for one batch."
)


def _growth_row(series: GrowthSeries, unit: Unit) -> tuple[str, ...]:
    ends = (series.values[0], series.values[-1])
    shown = (fmt.size(value) if series.unit == "byte" else fmt.work(value, unit) for value in ends)
    return (series.quantity, *shown, f"{series.order:.2f}", f"{series.order_at_end:.2f}")


def all_tables(profile: Profile) -> tuple[Table, ...]:
    tables = [token_table(profile), cost_table(profile), *ratio_tables(profile)]
    tables += [breakdown_table(profile), *growth_tables(profile)]
    if profile.measured is not None:
        from sf_eval.report.profile.measured_tables import measured_tables

        tables += measured_tables(profile.measured)
    return tuple(tables)
