"""Which option's text an output gives. All take the output normalised (`normalise.normalise`)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sf_eval.benchmarks.normalise import bare, words

# Shorter texts ("red", "two cats") turn up in descriptions that answer nothing.
_MIN_WORDS_INSIDE = 3
# An output that is much longer than the option it contains is a description, not an answer.
_MAX_OTHER_WORDS = 12
_ENDS_HERE = r"(?:\s*$|[.,;:!?)](?:\s|$)|\n|\s(?:because|since|as|based on|due to)\b)"
_REFUSAL = re.compile(
    r"cannot|can't|can not|unable|n't know|unclear"
    r"|not (?:know|sure|clear|certain|possible|enough|able|visible|shown|determine)"
    r"|impossible to|no information|not provided|insufficient"
)
_NEGATION = re.compile(
    r"\bnot\b|n't\b|\bneither\b|\bnor\b|\bif\b|\bwhether\b|\bnever\b|\bwrong\b|\bincorrect\b"
)


def whole_option(text: str, options: Mapping[str, str]) -> str | None:
    """The option whose text is the whole output; a text of one character is left to the letters."""
    said = bare(text)
    if len(said) < 2:
        return None
    return _unique([letter for letter, option in options.items() if bare(option) == said])


def option_at_start(text: str, options: Mapping[str, str]) -> str | None:
    """The longest option that the output begins with and that ends a clause there."""
    if _REFUSAL.search(text):
        return None
    return option_after(text, options)


def option_after(rest: str, options: Mapping[str, str]) -> str | None:
    """The longest option that `rest` begins with and that ends a clause there."""
    rest = rest.lstrip(" \"'([{:")
    found: dict[str, list[str]] = {}
    for letter, option in options.items():
        shown = bare(option)
        if shown and re.match(re.escape(shown) + r"[\"')\]}]*" + _ENDS_HERE, rest):
            found.setdefault(shown, []).append(letter)
    return _unique(found[max(found, key=len)]) if found else None


def option_inside(text: str, options: Mapping[str, str]) -> str | None:
    """The one option of three words or more that a short output contains, denied by nothing in it."""
    if _REFUSAL.search(text):
        return None
    said = words(text)
    spans: list[tuple[int, int, str]] = []
    for letter, option in options.items():
        wanted = words(bare(option))
        if len(wanted) < 2 or len(said) > len(wanted) + _MAX_OTHER_WORDS:
            continue
        spans += [(at, at + len(wanted), letter) for at in _occurrences(said, wanted)]
    largest = {letter for start, end, letter in spans if not _lies_in_larger(start, end, spans)}
    if len(largest) != 1:
        return None
    letter = largest.pop()
    if len(words(bare(options[letter]))) < _MIN_WORDS_INSIDE:
        return None
    around = text.replace(bare(options[letter]), " ")
    return None if _NEGATION.search(around) else letter


def _occurrences(said: list[str], wanted: list[str]) -> list[int]:
    return [at for at in range(len(said) - len(wanted) + 1) if said[at : at + len(wanted)] == wanted]


def _lies_in_larger(start: int, end: int, spans: list[tuple[int, int, str]]) -> bool:
    return any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)


def _unique(letters: list[str]) -> str | None:
    return letters[0] if len(letters) == 1 else None
