"""One table, three ways to show it: terminal, markdown, CSV."""

from __future__ import annotations

import csv
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

ABSENT = "–"
_NAME_WIDTH = 20
SI_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Table:
    """Cells are what a person reads; `numeric` columns are aligned to the right.

    Attributes:
        notes: lines below the table, each a sentence.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def print_table(console: Console, table: Table) -> None:
    """On the terminal: title, cells, notes. Text is not markup, whatever brackets a dataset has in it."""
    console.print(Text(table.title, style="bold"))
    console.print(_cells(table, console.width))
    for note in table.notes:
        console.print(Text(note, style="dim"))
    console.print()


def _cells(table: Table, width: int) -> RichTable:
    """Numbers are never broken. Where `width` is too little, words wrap, and names after a separator."""
    shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1))
    natural = sum(max(map(len, column)) + 3 for column in zip(table.columns, *table.rows, strict=True)) + 1
    rows = table.rows if natural <= width else [[_breakable(cell) for cell in row] for row in table.rows]
    for index, column in enumerate(table.columns):
        lines = [line for row in rows for line in row[index].split("\n")]
        longest = max(map(len, lines), default=0)
        word = max((len(word) for line in lines for word in line.split()), default=0)
        is_numeric = column in table.numeric
        shown.add_column(
            # A header of several words stands above its numbers in several lines, no wider than they are.
            escape(_stacked(column, longest) if is_numeric else column),
            justify="right" if is_numeric else "left",
            overflow="fold",
            no_wrap=is_numeric,
            min_width=longest if is_numeric else word,
        )
    for row in rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown


def _stacked(header: str, width: int) -> str:
    width = max(width, *map(len, header.split()))
    return "\n".join(textwrap.wrap(header, width, break_on_hyphens=False))


def _breakable(cell: str) -> str:
    """A long name (of a checkpoint, of a file) in lines that end after `-`, `_`, `/` or `.`."""
    return " ".join(_in_lines(word) if len(word) > _NAME_WIDTH else word for word in cell.split(" "))


def _in_lines(word: str) -> str:
    lines = [""]
    for piece in re.split(r"(?<=[-_/.])", word):
        if lines[-1] and len(lines[-1]) + len(piece) > _NAME_WIDTH:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)


def to_markdown(table: Table) -> str:
    lines = [f"## {escaped(table.title)}", "", _markdown_row(table.columns)]
    lines.append(
        "|" + "|".join("---:" if column in table.numeric else "---" for column in table.columns) + "|"
    )
    lines.extend(_markdown_row(row) for row in table.rows)
    if table.notes:
        lines.append("")
        lines.extend(f"- {escaped(note)}" for note in table.notes)
    return "\n".join(lines) + "\n"


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows by column name; an absent or None value is an empty cell, an unknown column an error."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def escaped(text: str) -> str:
    """A cell must not end the row, open a tag or make a link."""
    flat = " ".join(text.split())
    for special in ("\\", "|", "`", "]("):
        flat = flat.replace(special, f"\\{special}")
    return flat.replace("<", "&lt;")


def percent(value: float | None, digits: int = 1) -> str:
    return ABSENT if value is None else f"{value:.{digits}f}"


def interval(bounds: tuple[float, float] | None, digits: int = 1) -> str:
    return ABSENT if bounds is None else f"[{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def scaled(value: float | None, unit: str = "", *, digits: int = 3) -> str:
    """Significant digits with an SI prefix: 2.004e12 -> "2 T"; 4 digits: "2.004 T"."""
    if value is None:
        return ABSENT
    for factor, prefix in SI_PREFIXES:
        if abs(value) >= factor:
            return f"{significant(value / factor, digits)} {prefix}{unit}"
    return f"{significant(value, digits)} {unit}".strip()


def significant(value: float, digits: int = 3) -> str:
    """At least so many significant digits, and never an exponent for a large number: 1023.4 -> "1023"."""
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e+" in text else text


def seconds(value: float | None) -> str:
    """A duration, to about three digits."""
    if value is None:
        return ABSENT
    if value >= 1:
        return f"{value:.2f} s"
    if 0 < value < 1e-3:
        return f"{1e6 * value:.0f} µs"
    return f"{1e3 * value:.2f} ms" if 0 < value < 1e-2 else f"{1e3 * value:.1f} ms"
