"""The self-contained HTML page: no script, no request to anywhere, every value escaped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sf_eval.profiler import format as fmt
from sf_eval.profiler.closed_form import Unit
from sf_eval.profiler.plots import GROUPS, inline_svg
from sf_eval.profiler.record import Profile, ProfileRow
from sf_eval.profiler.tables import all_tables, convention_line, part_flops

_TEMPLATE = Path(__file__).parent / "page.html.j2"


@dataclass(frozen=True)
class _Tile:
    value: str
    label: str


@dataclass(frozen=True)
class _Piece:
    width: str
    colour: str
    title: str


@dataclass(frozen=True)
class _Bar:
    name: str
    value: str
    width: str
    pieces: tuple[_Piece, ...]


@dataclass(frozen=True)
class _Chart:
    title: str
    bars: tuple[_Bar, ...]
    key: tuple[tuple[str, str], ...]


def to_html(profile: Profile, growth_svg: str | None) -> str:
    """One page; `growth_svg` is the growth plot as an SVG document of our own making, if there is one."""
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
        growth_svg=Markup(inline_svg(growth_svg)) if growth_svg else "",  # noqa: S704
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


def _charts(profile: Profile) -> tuple[_Chart, ...]:
    rows = (profile.main, *profile.against)
    llm = [group for group in GROUPS if group[0].startswith("LLM")]
    return (
        _chart("End to end: where the work is", rows, GROUPS, Unit(profile.unit)),
        _chart("The LLM's prefill alone: what the slow path adds", rows, llm, Unit(profile.unit)),
    )


def _chart(
    title: str,
    rows: Iterable[ProfileRow],
    groups: Iterable[tuple[str, str, tuple[str, ...]]],
    unit: Unit,
) -> _Chart:
    rows, groups = tuple(rows), tuple(groups)
    sums = [sum(part_flops(row, keys) for _, _, keys in groups) for row in rows]
    bars = []
    for row, total in zip(rows, sums, strict=True):
        pieces = []
        for name, colour, keys in groups:
            if part := part_flops(row, keys):
                label = f"{name}: {fmt.work(part, unit)}, {fmt.share(part, total)}"
                pieces.append(_Piece(f"{100 * part / total:.3f}", colour, label))
        name = f"{row.model}, {row.frames} frames"
        bars.append(_Bar(name, fmt.work(total, unit), f"{100 * total / max(sums):.2f}", tuple(pieces)))
    return _Chart(title, tuple(bars), tuple((name, colour) for name, colour, _ in groups))
