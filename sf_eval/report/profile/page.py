"""The self-contained HTML page: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sf_eval.core.tables import seconds
from sf_eval.profiler import format as fmt
from sf_eval.profiler.cost.closed_form import Unit
from sf_eval.profiler.record import Profile, ProfileRow
from sf_eval.report.profile.plots import GROUPS, STAGES, inline_svg
from sf_eval.report.profile.tables import all_tables, convention_line, part_flops

_TEMPLATE = Path(__file__).parent / "page.html.j2"
_LABELLED = 0.14  # of the widest bar: there is room for a share, on a phone too


@dataclass(frozen=True)
class _Tile:
    value: str
    label: str


@dataclass(frozen=True)
class _Stack:
    """One bar before it is drawn: its name, and (part, colour, amount) from left to right."""

    name: str
    parts: tuple[tuple[str, str, float], ...]

    @property
    def total(self) -> float:
        return sum(amount for _, _, amount in self.parts)

    def share(self, part: str) -> str:
        return fmt.share(sum(amount for name, _, amount in self.parts if name == part), self.total)


@dataclass(frozen=True)
class _Piece:
    width: str
    colour: str
    title: str
    label: str


@dataclass(frozen=True)
class _Bar:
    name: str
    value: str
    width: str
    pieces: tuple[_Piece, ...]


@dataclass(frozen=True)
class _Chart:
    """Bars, and a key that says what each colour is and how much of the first bar it is."""

    title: str
    bars: tuple[_Bar, ...]
    key: tuple[tuple[str, str, str], ...]


def to_html(profile: Profile, growth_svgs: Sequence[str] = ()) -> str:
    """One page; `growth_svgs` are plots as SVG documents of our own making."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        profile=profile,
        convention=convention_line(profile),
        tiles=_tiles(profile),
        charts=_charts(profile),
        tables=all_tables(profile),
        # matplotlib has escaped its text
        growth_svgs=[Markup(inline_svg(svg)) for svg in growth_svgs],  # noqa: S704
    )


def _tiles(profile: Profile) -> tuple[_Tile, ...]:
    row, base, unit = profile.main, profile.against[0], Unit(profile.unit)
    against = f"{base.model} at {base.frames} frames"
    tiles = [
        _Tile(fmt.ratio(row.prefill_flops / base.prefill_flops), f"LLM prefill against {against}"),
        _Tile(fmt.ratio(row.total_flops / base.total_flops), f"end to end against {against}"),
        _Tile(fmt.share(row.vision_flops, row.total_flops), "of all work is the vision tower"),
        _Tile(
            fmt.work(row.total_flops, unit), "for one question" if row.batch_size == 1 else "for one batch"
        ),
    ]
    if row.slow_tokens:
        cross = fmt.share(row.cross_attention_flops, row.total_flops)
        tiles.insert(
            2, _Tile(cross, f"of all work is the slow path's cross-attention ({row.slow_tokens:,} tokens)")
        )
    return tuple(tiles)


def _charts(profile: Profile) -> list[_Chart]:
    rows, unit = (profile.main, *profile.against), Unit(profile.unit)
    llm = [group for group in GROUPS if group[0].startswith("LLM")]
    charts = [
        _work_chart("End to end: where the work is", rows, GROUPS, unit),
        _work_chart("The LLM's prefill alone: what the slow path adds", rows, llm, unit),
    ]
    return [*_time_charts(profile.measured["runs"]), *charts] if profile.measured else charts


def _work_chart(
    title: str, rows: Iterable[ProfileRow], groups: Iterable[tuple[str, str, tuple[str, ...]]], unit: Unit
) -> _Chart:
    groups = tuple(groups)
    stacks = [
        _Stack(
            f"{row.model}, {row.frames} frames",
            tuple((name, colour, part_flops(row, keys)) for name, colour, keys in groups),
        )
        for row in rows
    ]
    return _chart(title, stacks, lambda flops: fmt.work(flops, unit))


def _time_charts(runs: Iterable[Mapping[str, Any]]) -> list[_Chart]:
    """One for each batch size: the stages' medians, each measured apart."""
    stacks: dict[int, list[_Stack]] = {}
    for run in runs:
        stacks.setdefault(run["batch_size"], []).append(_time_stack(run))
    return [
        _chart(f"Measured, batch {batch_size}: where the time goes", bars, seconds)
        for batch_size, bars in stacks.items()
    ]


def _time_stack(run: Mapping[str, Any]) -> _Stack:
    parts = []
    for stage, name, colour in STAGES:
        if stage in run["stages"]:
            times = run["new_tokens"] - 1 if name == "decoding" else 1
            parts.append((name, colour, times * run["stages"][stage]["median"]))
    return _Stack(f"{run['model']}, {run['frames']} frames", tuple(parts))


def _chart(title: str, stacks: Sequence[_Stack], show: Callable[[float], str]) -> _Chart:
    longest = max(stack.total for stack in stacks)
    colours = {name: colour for stack in stacks for name, colour, _ in stack.parts}
    return _Chart(
        title,
        tuple(_bar(stack, longest, show) for stack in stacks),
        tuple((name, colour, stacks[0].share(name)) for name, colour in colours.items()),
    )


def _bar(stack: _Stack, longest: float, show: Callable[[float], str]) -> _Bar:
    pieces = []
    for name, colour, amount in stack.parts:
        if amount:
            share = fmt.share(amount, stack.total)
            label = share if amount >= _LABELLED * longest else ""
            width = f"{100 * amount / stack.total:.3f}"
            pieces.append(_Piece(width, colour, f"{name}: {show(amount)}, {share}", label))
    return _Bar(stack.name, show(stack.total), f"{100 * stack.total / longest:.2f}", tuple(pieces))
