"""One table, three ways to show it: terminal, markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from sf_eval.core.text import breakable, longest_word, printable, wrapped

ABSENT = "–"
_INDENT, _GAP = 1, 2
_LONG_NAME = 40
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
    """On the terminal: title, cells, notes. Text is neither markup nor control, whatever a dataset has in it.

    No word is cut or left out: text wraps between words, and a table that is too wide even then becomes
    several below each other, each beginning with the columns that tell its rows apart. What is wider still,
    a name of half a terminal, wraps after its separators, or goes past the edge.
    """
    console.print(Text(printable(table.title), style="bold"))
    columns = [
        _Column(printable(name), tuple(printable(row[index]) for row in table.rows), name in table.numeric)
        for index, name in enumerate(table.columns)
    ]
    rule = "-" if console.options.ascii_only else "─"
    for piece in _pieces(columns, console.width):
        console.print()
        for line in _lines(piece, console.width, rule):
            console.print(line, no_wrap=True, overflow="ignore", crop=False)
    if table.notes:
        console.print()
    for note in table.notes:
        console.print(Text(printable(note), style="dim"))
    console.print()


@dataclass(frozen=True)
class _Column:
    header: str
    cells: tuple[str, ...]
    is_numeric: bool

    @property
    def natural(self) -> int:
        """Width of the widest cell; a header of several words stands above its numbers in several lines."""
        header = longest_word(self.header) if self.is_numeric else cell_len(self.header)
        return max(header, *map(cell_len, self.cells), 1)

    @property
    def least(self) -> int:
        """Width below which a number or a word would break."""
        of_cell = cell_len if self.is_numeric else longest_word
        return max(longest_word(self.header), *map(of_cell, self.cells), 1)

    def breakable(self, width: int) -> _Column:
        """The column with words wider than `width` in pieces; a column of numbers stays as it is."""
        if self.is_numeric:
            return self
        return replace(self, cells=tuple(breakable(cell, width) for cell in self.cells))


def _total(widths: Iterable[int]) -> int:
    listed = list(widths)
    return _INDENT + sum(listed) + _GAP * (len(listed) - 1)


def _fits(columns: Sequence[_Column], width: int) -> bool:
    return _total(column.least for column in columns) <= width


def _pieces(columns: list[_Column], width: int) -> list[list[_Column]]:
    """The columns in as few tables as fit `width` when taken in order, each with the key columns first."""
    if _fits(columns, width):
        return [columns]
    first = columns[0].breakable(max(_LONG_NAME, width // 2))
    columns = [first, *columns[1:]]
    # Where the first column does not tell the rows apart (a model at several frames), the second helps.
    is_enough = len(set(first.cells)) == len(first.cells) or _total(c.least for c in columns[:2]) > width // 2
    keys = columns[: 1 if is_enough else 2]
    pieces = [keys]
    for column in columns[len(keys) :]:
        if not _fits([*pieces[-1], column], width) and len(pieces[-1]) > len(keys):
            pieces.append(keys)
        if not _fits([*pieces[-1], column], width):
            room = width - _total(key.least for key in keys) - _GAP
            column = column.breakable(max(_LONG_NAME, room))
        pieces[-1] = [*pieces[-1], column]
    return pieces


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
    """Every column's least width, and what is left of `width` to those that lack most."""
    widths = [column.least for column in columns]
    lacking = [column.natural - column.least for column in columns]
    for _ in range(width - _total(widths)):
        index = max(range(len(columns)), key=lacking.__getitem__)
        if lacking[index] <= 0:
            break
        widths[index] += 1
        lacking[index] -= 1
    return widths


def _lines(columns: Sequence[_Column], width: int, rule: str) -> Iterator[Text]:
    widths = _widths(columns, width)
    numeric = [column.is_numeric for column in columns]
    for line in _row([column.header for column in columns], widths, numeric):
        yield Text(line, style="bold")
    yield Text(" " * _INDENT + rule * (_total(widths) - _INDENT))
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield from map(Text, _row(cells, widths, numeric))


def _row(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    """The lines of one row; cells of fewer lines are filled up below."""
    wrapped_cells = [wrapped(cell, width) for cell, width in zip(cells, widths, strict=True)]
    for line in zip_longest(*wrapped_cells, fillvalue=""):
        padded = []
        for text, width, to_right in zip(line, widths, numeric, strict=True):
            space = " " * (width - cell_len(text))
            padded.append(space + text if to_right else text + space)
        yield (" " * _INDENT + (" " * _GAP).join(padded)).rstrip()


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
    """Rows by column name; an absent or None value is an empty cell, an unknown column an error.

    Cells are verbatim. Lines end in a newline alone.
    """
    stream = io.StringIO()
    # Before Python 3.13 the writer quotes a carriage return only where it is of the line's end; a reader
    # always takes a bare one for the end of a row.
    writer = csv.DictWriter(_Lines(stream), columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


class _Lines:
    """Takes one row a call, as the csv module gives them, and ends it in a newline alone."""

    def __init__(self, stream: io.StringIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def _markdown_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escaped(cell) for cell in cells) + " |"


def escaped(text: str) -> str:
    """A cell must not end the row, open a tag or make a link, nor control a terminal that shows it."""
    flat = " ".join(printable(text).split())
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


def times(ratio: float) -> str:
    """How many times as much: "3.68 times"; small ratios keep three significant digits."""
    return f"{ratio:.2f} times" if ratio >= 0.1 else f"{significant(ratio, 3)} times"


def seconds(value: float | None) -> str:
    """A duration, to about three digits."""
    if value is None:
        return ABSENT
    if value >= 1:
        return f"{value:.2f} s"
    if 0 < value < 1e-3:
        return f"{1e6 * value:.0f} µs"
    return f"{1e3 * value:.2f} ms" if 0 < value < 1e-2 else f"{1e3 * value:.1f} ms"
