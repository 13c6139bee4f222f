"""Kinds of the mini editions' questions: what they take (a moment, the whole, the subtitles).

The real sets have no such thing, and no column of a mini edition has it either: its index file lists the kind
of each row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sf_eval.benchmarks.document import Document
from sf_eval.data.opened import OpenBenchmark
from sf_eval.editions.index import INDEX
from sf_eval.editions.questions import KINDS

SUBTITLE = "subtitle"
#: Questions that nobody can answer: about subtitles, asked without showing them.
NONE_SHOWN = "none shown"
#: Questions without options: they are no easier or harder than others of their kind, but another thing.
OPEN = "open"


@dataclass(frozen=True)
class KindOfQuestion:
    """What one question of a mini edition takes.

    Attributes:
        name: e.g. "disc_colour"; for what the subtitles say, "subtitle_word" or, where the benchmark shows
            none, "subtitle_word, none shown"; for a question without options, "disc_colour, open".
        group: "brief", "global", "subtitle", or "" for a kind that this version does not know.
        row: the same for the same row of the same file, whichever benchmark asks it.
    """

    name: str
    group: str
    row: str


def kinds_of(opened: OpenBenchmark) -> dict[int, KindOfQuestion]:
    """The kind of each document, by its index; empty for real data."""
    names = _names(opened)
    if len(names) != len(opened.documents):
        return {}  # real data, or a copy whose rows were changed
    first = opened.annotation_files[0].relative_to(opened.folder.parent).as_posix()
    return {
        document.index: _kind(name, document, f"{first}/{document.index}")
        for document, name in zip(opened.documents, names, strict=True)
    }


def _kind(name: str, document: Document, row: str) -> KindOfQuestion:
    group = KINDS.get(name, "")
    if group == SUBTITLE and document.subtitles is None:
        return KindOfQuestion(f"{name}, {NONE_SHOWN}", "", row)
    if not document.options:
        return KindOfQuestion(f"{name}, {OPEN}", "", row)
    return KindOfQuestion(name, group, row)


def _names(opened: OpenBenchmark) -> list[str]:
    """The kinds of all rows as the index file lists them, through all annotation files."""
    try:
        index = json.loads((opened.folder / INDEX).read_text(encoding="utf-8"))
        listed = index["kinds"]
        return [
            str(kind)
            for path in opened.annotation_files
            for kind in listed[path.relative_to(opened.folder).as_posix()]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
