"""The self-contained HTML page: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sf_eval.core.tables import seconds
from sf_eval.profiler import format as fmt
from sf_eval.profiler.cost.closed_form import Unit
from sf_eval.profiler.record import Profile, ProfileRow
from sf_eval.report.profile.plots import GROUPS, SLOW_PATH, STAGES, inline_svg
from sf_eval.report.profile.tables import all_tables, convention_line, part_flops

_TEMPLATE = Path(__file__).parent / "page.html.j2"
# Of the widest bar: there is room for a letter and a share, or for a letter alone, on a phone too.
_LABELLED, _LETTERED = 0.19, 0.05
_PATTERNS = 8  # classes p0 to p7 of the page

Groups = Sequence[tuple[str, str, tuple[str, ...]]]


@dataclass(frozen=True)
class _Tile:
    value: str
    label: str


@dataclass(frozen=True)
class _Stack:
    """One bar before it is drawn.

    Attributes:
        value: what stands at its end.
        parts: (part, colour, amount that its width shows, what is said of it), from left to right.
    """

    name: str
    value: str
    parts: tuple[tuple[str, str, float, str], ...]

    @property
    def total(self) -> float:
        return sum(amount for _, _, amount, _ in self.parts)

    def share(self, part: str) -> str:
        return fmt.share(sum(amount for name, _, amount, _ in self.parts if name == part), self.total)


@dataclass(frozen=True)
class _Mark:
    """How a part is told from the others: by letter, pattern and colour."""

    letter: str
    pattern: str
    colour: str


@dataclass(frozen=True)
class _Piece:
    width: str
    mark: _Mark
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
    """Bars, and a key that says what each mark is and how much of the first bar it is."""

    title: str
    bars: tuple[_Bar, ...]
    key: tuple[tuple[str, _Mark, str], ...]
    notes: tuple[str, ...]


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
        charts=charts(profile),
        tables=all_tables(profile),
        # matplotlib has escaped its text
        growth_svgs=[Markup(inline_svg(svg)) for svg in growth_svgs],  # noqa: S704
    )


def _tiles(profile: Profile) -> tuple[_Tile, ...]:
    row, base, unit = profile.main, profile.against[0], Unit(profile.unit)
    against = f"{base.model} at {base.frames} frames"
    tiles = [
        _Tile(fmt.change(row.prefill_flops / base.prefill_flops), f"LLM prefill against {against}"),
        _Tile(fmt.change(row.total_flops / base.total_flops), f"end to end against {against}"),
        _Tile(fmt.share(row.vision_flops, row.total_flops), "of all work is the vision tower"),
        _Tile(fmt.work(row.total_flops, unit), "per question" if row.batch_size == 1 else "per batch"),
    ]
    if row.slow_tokens:
        cross = fmt.share(row.cross_attention_flops, row.total_flops)
        tiles.insert(
            2, _Tile(cross, f"of all work is the slow path's cross-attention ({row.slow_tokens:,} tokens)")
        )
    return tuple(tiles)


def charts(profile: Profile) -> list[_Chart]:
    """Bars of the page: measured time where there is any, then work."""
    rows, unit = (profile.main, *profile.against), Unit(profile.unit)
    llm = [group for group in GROUPS if group[0].startswith("LLM")]
    found = [_work_chart("End to end: where the work is", rows, GROUPS, unit)]
    if with_slow := [row for row in rows if row.slow_tokens]:
        found.append(_slow_path_chart(with_slow, unit))
    found.append(_work_chart("The LLM's prefill alone: what the slow path adds", rows, llm, unit))
    return [*_time_charts(profile.measured["runs"]), *found] if profile.measured else found


def _work_chart(title: str, rows: Iterable[ProfileRow], groups: Groups, unit: Unit) -> _Chart:
    stacks = []
    for row in rows:
        parts = _parts(row, groups, unit)
        total = sum(amount for _, _, amount, _ in parts)
        stacks.append(_Stack(_bar_name(row), fmt.work(total, unit), parts))
    return _chart(title, stacks)


def _slow_path_chart(rows: Sequence[ProfileRow], unit: Unit) -> _Chart:
    """A magnifier: what the slow path adds is too little to be seen in a bar of everything."""
    stacks = [
        _Stack(
            _bar_name(row),
            f"{fmt.work(row.cross_attention_flops, unit)}, "
            f"{fmt.share(row.cross_attention_flops, row.total_flops)} of the bar above",
            _parts(row, SLOW_PATH, unit),
        )
        for row in rows
    ]
    times = rows[0].total_flops / rows[0].cross_attention_flops
    note = f"The same work as its part above, drawn {times:,.0f} times as wide."
    return _chart("The slow path under a magnifier", stacks, (note,))


def _bar_name(row: ProfileRow) -> str:
    return f"{row.model}, {fmt.marked(row.frames, row.exceeds_context)} frames"


def _parts(row: ProfileRow, groups: Groups, unit: Unit) -> tuple[tuple[str, str, float, str], ...]:
    amounts = [(name, colour, part_flops(row, keys)) for name, colour, keys in groups]
    return tuple((name, colour, amount, fmt.work(amount, unit)) for name, colour, amount in amounts)


def _time_charts(runs: Iterable[Mapping[str, Any]]) -> list[_Chart]:
    """One for each batch size."""
    by_batch: dict[int, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_batch.setdefault(run["batch_size"], []).append(run)
    return [
        _chart(
            f"Measured, batch {batch_size}: where the time goes",
            [_time_stack(run) for run in measured],
            tuple(map(_time_note, measured)),
        )
        for batch_size, measured in by_batch.items()
    ]


def _stage_medians(run: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    """(name, colour, seconds) of the stages that were measured apart; decoding is all its steps together."""
    medians = []
    for stage, name, colour in STAGES:
        if stage in run["stages"]:
            times = run["new_tokens"] - 1 if name == "decoding" else 1
            medians.append((name, colour, times * run["stages"][stage]["median"]))
    return medians


def _time_stack(run: Mapping[str, Any]) -> _Stack:
    """The bar is as long as the table's end-to-end median; the stages measured apart divide it."""
    medians, whole = _stage_medians(run), run["stages"]["end to end"]["median"]
    apart = sum(value for _, _, value in medians)
    parts = tuple((name, colour, value / apart * whole, seconds(value)) for name, colour, value in medians)
    return _Stack(_run_name(run), seconds(whole), parts)


def _run_name(run: Mapping[str, Any]) -> str:
    shared = ", one video for all questions" if run["shared"] else ""
    return f"{run['model']}, {run['frames']} frames{shared}"


def _time_note(run: Mapping[str, Any]) -> str:
    apart, whole = sum(value for _, _, value in _stage_medians(run)), run["stages"]["end to end"]["median"]
    return (
        f"{_run_name(run)}: the whole bar is the table's end-to-end median, {seconds(whole)}, measured in "
        "one go. It is divided as the stages are when each is measured apart. Their medians add up to "
        f"{seconds(apart)} ({fmt.change(apart / whole)}): apart, each waits for the device, and medians do "
        "not add up exactly."
    )


def _chart(title: str, stacks: Sequence[_Stack], notes: tuple[str, ...] = ()) -> _Chart:
    longest = max(stack.total for stack in stacks)
    colours = {name: colour for stack in stacks for name, colour, _, _ in stack.parts}
    marks = {
        name: _Mark(chr(ord("A") + place), f"p{place % _PATTERNS}", colour)
        for place, (name, colour) in enumerate(colours.items())
    }
    return _Chart(
        title,
        tuple(_bar(stack, longest, marks) for stack in stacks),
        tuple((name, mark, stacks[0].share(name)) for name, mark in marks.items()),
        (f"Shares of {stacks[0].name}.", *notes),
    )


def _bar(stack: _Stack, longest: float, marks: Mapping[str, _Mark]) -> _Bar:
    pieces = []
    for name, _, amount, said in stack.parts:
        if amount:
            share, mark = fmt.share(amount, stack.total), marks[name]
            label = mark.letter if amount >= _LETTERED * longest else ""
            if amount >= _LABELLED * longest:
                label = f"{mark.letter} {share}"
            width = f"{100 * amount / stack.total:.3f}"
            pieces.append(_Piece(width, mark, f"{mark.letter}, {name}: {said}, {share}", label))
    return _Bar(stack.name, stack.value, f"{100 * stack.total / longest:.2f}", tuple(pieces))
