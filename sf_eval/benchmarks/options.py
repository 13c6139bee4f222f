"""Options: from the texts of a row to letters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sf_eval.benchmarks.rows import RowReader

LETTERS = "ABCDEF"
_LABEL = re.compile(r"\s*\(?([A-F])[.):]\s*")


def by_position(texts: Sequence[str]) -> dict[str, str]:
    """A for the first text, B for the second, and so on."""
    return dict(zip(LETTERS, texts, strict=False))


def lettered(row: RowReader, column: str) -> tuple[list[str], dict[str, str]]:
    """A column of texts such as "B. a dog": the texts as they are, and letter to text without the label.

    Raises:
        DataError: a label that is not the one of its place, so that letter and text would contradict.
    """
    texts = row.texts(column)
    options: dict[str, str] = {}
    for letter, text in by_position(texts).items():
        label = _LABEL.match(text)
        if label and label.group(1) != letter:
            row.fail(column, f"labels option {letter} as {label.group(1)}")
        options[letter] = text[label.end() :].strip() if label else text.strip()
    return texts, options
