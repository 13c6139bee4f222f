"""One table, three ways to show it: terminal, markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

ABSENT = "–"
_TEXT_WIDTH = 22


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
    console.print(_cells(table))
    for note in table.notes:
        console.print(Text(note, style="dim"))
    console.print()


def _cells(table: Table) -> RichTable:
    shown = RichTable(box=box.SIMPLE_HEAD, padding=(0, 1))
    for index, column in enumerate(table.columns):
        longest = max((len(row[index]) for row in table.rows), default=0)
        is_numeric = column in table.numeric
        shown.add_column(
            # A header of several words stands in several lines, so that 80 columns hold the numbers.
            escape(column.replace(" ", "\n") if is_numeric else column),
            justify="right" if is_numeric else "left",
            overflow="fold",
            # Numbers are never broken; words wrap, but not into letters.
            min_width=longest if is_numeric else min(longest, _TEXT_WIDTH),
        )
    for row in table.rows:
        shown.add_row(*(escape(cell) for cell in row))
    return shown


def to_markdown(table: Table) -> str:
    lines = [f"## {table.title}", "", _markdown_row(table.columns)]
    lines.append(
        "|" + "|".join("---:" if column in table.numeric else "---" for column in table.columns) + "|"
    )
    lines.extend(_markdown_row(row) for row in table.rows)
    if table.notes:
        lines.append("")
        lines.extend(f"- {_one_line(note)}" for note in table.notes)
    return "\n".join(lines) + "\n"


def to_csv(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Rows by column name; an absent or None value is an empty cell, an unknown column an error."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_one_line(cell) for cell in cells) + " |"


def _one_line(text: str) -> str:
    """A cell must not end the row or open a tag."""
    flat = " ".join(text.split())
    return flat.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def percent(value: float | None, digits: int = 1) -> str:
    return ABSENT if value is None else f"{value:.{digits}f}"


def interval(bounds: tuple[float, float] | None, digits: int = 1) -> str:
    return ABSENT if bounds is None else f"[{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def scaled(value: float | None, unit: str = "") -> str:
    """Three significant digits with an SI prefix: 2.004e12 -> "2.00 T"."""
    if value is None:
        return ABSENT
    for factor, prefix in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}".strip()


def seconds(value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"
