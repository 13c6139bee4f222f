"""Pages whose figures are made from records: they stand between markers, and nothing there is typed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.tables import Table, to_markdown

_BEGIN = "<!-- begin:{name} -->\n"
_END = "<!-- end:{name} -->"


def write_or_check(page: Path, blocks: Callable[[Path], Mapping[str, str]], arguments: Sequence[str]) -> int:
    """What a command does that fills `page` of the folder it is started in; its exit code.

    Args:
        blocks: the figures by name, made of the records below a folder.
        arguments: `--check` only says whether the page is what they make it (1 where it is not).

    Raises:
        OSError, ValueError: a record cannot be read or is none, or the page's markers are others.
    """
    text = page.read_text(encoding="utf-8")
    current = filled(text, blocks(Path()), name=page.as_posix())
    if list(arguments) == ["--check"]:
        if current != text:
            print(f"{page} is not what results/ makes it: run make readme", file=sys.stderr)
        return int(current != text)
    files.write_text(page, current)
    return 0


def table_rows(table: Table) -> str:
    """A table in Markdown without its title and notes."""
    return "".join(f"{line}\n" for line in to_markdown(table).splitlines() if line[:1] == "|")


def filled(page: str, figures: Mapping[str, str], *, name: str) -> str:
    """The text of a page with `figures` between its markers.

    Args:
        name: of the page, for the message.

    Raises:
        ValueError: figures have no markers, or markers have no figures.
    """
    marked = re.findall(r"<!-- begin:([a-z-]+) -->", page)
    if sorted(marked) != sorted(figures):
        raise ValueError(f"{name} marks {marked}, the figures are {list(figures)}.")
    for figure, text in figures.items():
        page = _replaced(page, figure, text, name)
    return page


def _replaced(page: str, figure: str, text: str, name: str) -> str:
    before, begin, rest = page.partition(_BEGIN.format(name=figure))
    _, end, after = rest.partition(_END.format(name=figure))
    if not begin or not end:
        raise ValueError(f"{name} has no end of {figure}.")
    return f"{before}{begin}\n{text}\n{end}{after}"
