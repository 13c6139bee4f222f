"""Pages whose figures are made from records: they stand between markers, and nothing there is typed."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BEGIN = "<!-- begin:{name} -->\n"
_END = "<!-- end:{name} -->"


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
