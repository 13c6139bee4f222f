"""The report's tables as plain text cells, once for the terminal, markdown and HTML alike."""

from __future__ import annotations

from sf_eval.core.tables import ABSENT, Table
from sf_eval.profiler import format as fmt
from sf_eval.profiler.cost.closed_form import Unit
from sf_eval.profiler.growth import LAST
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
    main = profile.main
    columns = (
        "model", "frames", "slow tokens", "fast tokens", "prompt", "context", "KV cache", "slow-token memory",
    )  # fmt: skip
    return Table(
        title=f"What the LLM reads: {main.text_tokens} text tokens and the video",
        columns=columns,
        rows=tuple(
            (
                row.model,
                _frames(row),
                f"{row.slow_tokens:,}",
                f"{row.fast_tokens:,}",
                f"{row.prompt_tokens:,}",
                ABSENT if row.context_tokens is None else f"{row.context_tokens:,}",
                fmt.size(row.kv_cache_bytes),
                fmt.size(row.slow_bytes),
            )
            for row in profile.rows
        ),
        numeric=frozenset(columns[1:]),
        notes=(
            "Prompt: text and fast tokens; slow tokens are cross-attended to and are no part of it. Memory: "
            f"keys and values in bfloat16 after {main.new_tokens} new tokens, batch {main.batch_size}.",
            *context_notes(profile),
            *(f"{row.model}, {row.frames} frames: {row.notes}" for row in profile.rows if row.notes),
        ),
    )


def context_notes(profile: Profile) -> tuple[str, ...]:
    """What the mark behind a row's frames means, where there is one."""
    if not any(row.exceeds_context for row in profile.rows):
        return ()
    return (
        f"{fmt.MARK} The prompt is longer than the model's context: the model refuses it, and the row is "
        "arithmetic only.",
    )


def _frames(row: ProfileRow) -> str:
    return fmt.marked(row.frames, row.exceeds_context)


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
        body.append((row.model, _frames(row), *(fmt.scaled(value, unit, power) for value in parts)))
    main = profile.main
    whole = "a question" if main.batch_size == 1 else f"a batch of {main.batch_size} questions"
    return Table(
        title=f"Cost of {whole} in {name}: {main.text_tokens} text tokens, {main.new_tokens} new tokens",
        columns=("model", "frames", "vision", "prefill", "slow path", "per new token", "total"),
        rows=tuple(body),
        numeric=frozenset({"frames", "vision", "prefill", "slow path", "per new token", "total"}),
        notes=(
            f"{convention_line(profile)}.",
            "Vision: tower, projector and pooling. Slow path: cross-attention, a part of the prefill. "
            f"Total: vision, prefill and {main.new_tokens - 1} decoding steps.",
            *context_notes(profile),
        ),
    )


def change_table(profile: Profile) -> Table:
    """Every row beside all that it is compared with, and whether the trace confirmed it."""
    bases = profile.against
    names = [f"{base.model} at {base.frames} frames" for base in bases]
    letters = [""] if len(bases) == 1 else [f" vs {_letter(place)}" for place in range(len(bases))]
    columns = [f"{what}{letter}" for letter in letters for what in ("LLM prefill", "end to end")]
    keys = [] if len(bases) == 1 else [f"{_letter(place)}: {name}." for place, name in enumerate(names)]
    return Table(
        title="Change of work, compared with " + (names[0] if len(bases) == 1 else "each baseline"),
        columns=("model", "frames", *columns, "trace"),
        rows=tuple(
            (
                row.model,
                _frames(row),
                *(cell for base in bases for cell in _change(row, base)),
                row.trace.status,
            )
            for row in profile.rows
        ),
        numeric=frozenset({"frames", *columns}),
        notes=(
            *keys,
            "LLM prefill: the paper's measure, cross-attention included. +100% is twice the work.",
            *context_notes(profile),
        ),
    )


def _letter(place: int) -> str:
    """A to Z, then A1 to Z1 and so on."""
    return chr(ord("A") + place % 26) + (str(place // 26) if place >= 26 else "")


def _change(row: ProfileRow, base: ProfileRow) -> tuple[str, str]:
    if row is base:
        return ("baseline", "baseline")
    return (
        fmt.change(row.prefill_flops / base.prefill_flops),
        fmt.change(row.total_flops / base.total_flops),
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
        columns=("part", "model", "share", "baseline", "its share", "change"),
        rows=(*body, prefill, total),
        numeric=frozenset({"model", "share", "baseline", "its share", "change"}),
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
        fmt.change(mine / theirs) if theirs else ABSENT,
    )


def growth_table(profile: Profile) -> Table:
    """First and last value of every quantity, and what a doubling of the frames adds to it."""
    growth, unit = profile.growth, Unit(profile.unit)
    first, last = (f"{frames} frames" for frames in (growth.frames[0], growth.frames[-1]))
    doubled = ("doubling the frames adds", f"from {growth.frames[-LAST:][0]} frames on")
    models = fmt.listed(list(dict.fromkeys(series.model for series in growth.series)))
    limits = dict.fromkeys(
        f"{series.model}: up to {series.frames_in_context} of these frames fit its context; what is "
        "beyond is arithmetic only."
        for series in growth.series
        if series.frames_in_context < growth.frames[-1]
    )
    return Table(
        title=f"Growth of {models} from {growth.frames[0]} to {last}",
        columns=("model", "quantity", first, last, *doubled),
        rows=tuple(_growth_row(series, unit) for series in growth.series),
        numeric=frozenset({first, last, *doubled}),
        notes=(
            "+100%: twice as much for twice the frames, growth in proportion. +300%: four times as much, "
            "growth with the square. A straight line fitted to the logarithms, over all points and over the "
            f"last {LAST}. Memory in bfloat16, per batch.",
            *limits,
        ),
    )


def _growth_row(series: GrowthSeries, unit: Unit) -> tuple[str, ...]:
    ends = (series.values[0], series.values[-1])
    shown = (fmt.size(value) if series.unit == "byte" else fmt.work(value, unit) for value in ends)
    adds = (fmt.change(2**order) for order in (series.order, series.order_at_end))
    return (series.model, series.quantity, *shown, *adds)


def all_tables(profile: Profile) -> tuple[Table, ...]:
    tables = [token_table(profile), cost_table(profile), change_table(profile)]
    tables += [breakdown_table(profile), growth_table(profile)]
    if profile.measured is not None:
        from sf_eval.report.profile.measured_tables import measured_tables

        tables += measured_tables(profile.measured)
    return tuple(tables)
