"""Options: from the texts of a row to letters."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sf_eval.benchmarks.rows import RowReader

LETTERS = "ABCDEFGH"
# "B.", "(B)", "b)", "B:", also with the full-width signs of Chinese texts.
_LABEL = r"\s*[(（]?(?P<letter>[{letters}])[.):．）：、]\s*"
# Of up to six options "H. pylori" is a text: no such set has an option H.
_UP_TO_SIX = re.compile(_LABEL.format(letters="A-Fa-f"))
_UP_TO_EIGHT = re.compile(_LABEL.format(letters="A-Ha-h"))


def by_position(texts: Sequence[str]) -> dict[str, str]:
    """A for the first text, B for the second, and so on."""
    return dict(zip(LETTERS, texts, strict=False))


def lettered(row: RowReader, column: str) -> tuple[list[str], dict[str, str]]:
    """A column of options such as "B. a dog", two to six of them; see `lettered_texts`."""
    return lettered_texts(row, column, row.texts(column))


def lettered_texts(row: RowReader, column: str, texts: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Options such as "B. a dog": the texts as the prompt shows them, and letter to bare text.

    The prompt asks for a letter, so it must show one: options that all lack theirs get it, and small letters
    become capitals. Texts with their own letters are shown as they are.

    Args:
        column: where they came from, for the error.
        texts: two to eight of them.

    Raises:
        DataError: some options have a letter and others have none, or a letter is not that of its place.
            Which is meant cannot be told: "E. coli" may be a text without a letter, or option E.
    """
    letters = LETTERS[: len(texts)]
    label_of = _UP_TO_SIX if len(texts) <= 6 else _UP_TO_EIGHT
    found = [label_of.match(text) for text in texts]
    if not any(found):
        options = {letter: text.strip() for letter, text in zip(letters, texts, strict=True)}
        return [f"{letter}. {text}" for letter, text in options.items()], options
    without = [letter for letter, label in zip(letters, found, strict=True) if label is None]
    if without:
        example = texts[letters.index(without[0])][:40]
        row.fail(
            column,
            f"gives some options a letter of their own, and none to {', '.join(without)} ({example!r})",
        )
    shown: list[str] = []
    options = {}
    for letter, text, label in zip(letters, texts, found, strict=True):
        assert label is not None
        if label["letter"].upper() != letter:
            row.fail(column, f"labels option {letter} as {label['letter']}")
        options[letter] = text[label.end() :].strip()
        shown.append(text if label["letter"] == letter else f"{letter}. {options[letter]}")
    return shown, options
