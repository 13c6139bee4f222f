"""Text from cards, data and checkpoints, made fit for a terminal."""

from __future__ import annotations

import re
import unicodedata

from rich.cells import cell_len

_ENDS_OF_LINE = re.compile(r"\r\n|[\n\t\v\f\x85\u2028\u2029]")
# They turn the direction of what follows on the line, so that a name can look like another one.
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_AFTER_SEPARATOR = re.compile(r"(?<=[-_/])|(?<=\.)(?=\D)")


def printable(text: str) -> str:
    r"""`text` on one line, every control character shown as its escape: ESC becomes the text `\x1b`.

    Ends of lines and tabs become spaces. Escaped are C0 and C1 controls, lone surrogates, which no encoding
    can write, and characters that turn the direction of a line.
    """
    flat = _ENDS_OF_LINE.sub(" ", text)
    return flat if flat.isascii() and flat.isprintable() else "".join(map(_shown, flat))


def _shown(character: str) -> str:
    if unicodedata.category(character) in ("Cc", "Cs") or character in _TURNS:
        return character.encode("unicode_escape").decode("ascii")
    return character


def longest_word(text: str) -> int:
    """Cells of a terminal that the widest word takes."""
    return max(map(cell_len, text.split(" ")))


def wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words, at most `width` cells wide unless one word is wider."""
    lines = [""]
    for word in filter(None, text.split(" ")):  # a no-break space stays within its word
        longer = f"{lines[-1]} {word}".strip()
        if cell_len(longer) <= width:
            lines[-1] = longer
        elif lines[-1]:
            lines.append(word)
        else:
            lines[-1] = word
    return lines


def breakable(text: str, width: int) -> str:
    """`text` with spaces after some `-`, `_`, `/` and `.` of words wider than `width`, to wrap there."""
    return " ".join(_in_pieces(word, width) if cell_len(word) > width else word for word in text.split(" "))


def _in_pieces(word: str, width: int) -> str:
    pieces = [""]
    for part in _AFTER_SEPARATOR.split(word):
        if pieces[-1] and cell_len(pieces[-1] + part) > width:
            pieces.append("")
        pieces[-1] += part
    return " ".join(pieces)
