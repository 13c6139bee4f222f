"""The options of a question in another order: letters stay where they are, texts change places.

What can be done honestly only: an option that speaks of the others as a whole ("all of the above") keeps its
place, and a question that names options by letter or place ("both A and B") is left as it is.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass, replace

from sf_eval.benchmarks.document import Document

_RIGHT = r"(?:correct|right|true|wrong|incorrect|false|possible|present|shown|mentioned|visible)\b"
_OF_ALL = re.compile(
    r"\b(?:all|none|any|both|neither|either|some|each)(?: of)? (?:the |these |those )?"
    r"(?:above|options|choices|answers)\b|\b(?:all|none|both|neither|any) of (?:these|those)\W*$"
    r"|\b(?:mentioned|listed|stated|given) above\b"
    r"|\bthe above(?=\W*$|\s+(?:(?:are|is|were|was|options?|choices?|answers?|statements?)\b"
    rf"|{_RIGHT}))"
    rf"|^\W*(?:both|neither|either)(?: of them)?(?: (?:are|is|were|was)(?: all)? {_RIGHT})?\W*$",
    re.IGNORECASE,
)
_ABOVE = re.compile(r"\babove\b", re.IGNORECASE)
# A letter that is no article: a capital, one in brackets or quotes. In "a cat" it is an article.
_LETTER = r"(?:[(\[\"']\s?[A-Ha-h]\s?[)\]\"']|[A-H])(?![\w'’])"
# Only where nothing but names stands, small letters and numbers are names: "both a and c", "1 and 2".
_NAME = r"(?:[(\[\"']\s?(?:[A-Ha-h]|[1-8])\s?[)\]\"']|[A-Ha-h]|[1-8])(?![\w'’])"
_NAME_OF_LETTER = r"(?:[(\[\"']\s?[A-Ha-h]\s?[)\]\"']|[A-Ha-h])(?![\w'’])"
_WORD_BETWEEN = (
    r"(?:,?\s*\b(?:and/or|and|or|nor|but\s+not|and\s+not|as\s+well\s+as)\b|\s*&"
    r"|(?<!\d)(?<!\d\s)\s*[+/](?!\s?\d))\s*"  # "1/2" is a number
)
_BETWEEN = rf"(?:{_WORD_BETWEEN}|\s*,\s*)"
_NAMES = rf"{_NAME}(?:\s*,\s*{_NAME})*{_WORD_BETWEEN}{_NAME}(?:{_BETWEEN}{_NAME})*"
_THEY_ARE = rf"(?:\s+(?:only|together)|\s+(?:are|is|were|was)(?: (?:both|all|not))?\s+{_RIGHT})?\W*$"
_PLACE = r"(?:first|second|third|fourth|fifth|last|previous|next|other|former|latter)"
_OPTIONS = r"(?:options?|choices?|answers?)\b"
_NAMES_OPTIONS = (
    rf"\b(?:options?|choices?|answers?)\s+(?-i:{_LETTER})"
    rf"|\b(?:options?|choices?)\s+(?:[b-h](?![\w'’])|a\W*$|{_NAMES})"
    rf"|\b(?:both|either|neither|only|all|not)\s+(?-i:{_LETTER}){_BETWEEN}(?-i:{_LETTER})"
    rf"|\bthe {_PLACE}(?: (?:one|two|three|four))?(?:,? (?:and|or) (?:the )?\w+)? {_OPTIONS}"
)
_NAMES_OPTIONS_ONLY = (  # the whole option does nothing else
    rf"^\W*{_NAMES}{_THEY_ARE}"
    rf"|^\W*(?-i:{_LETTER})(?:{_BETWEEN}(?-i:{_LETTER}))+{_THEY_ARE}"
    rf"|\b(?:both|either|neither|only|just)\s+{_NAMES}{_THEY_ARE}"
    rf"|^\W*(?:only|just|not)\s+{_NAME_OF_LETTER}{_THEY_ARE}"
    rf"|^\W*(?-i:{_LETTER})(?:\s+only|\s+alone|\s+(?:is|was)(?: not)?\s+{_RIGHT})\W*$"
    rf"|\b(?:same|identical|similar|equal)\s+(?:as|to)\s+(?:(?-i:{_LETTER})|{_NAME_OF_LETTER}\W*$)"
    rf"|\b(?:all|none|any|everything|anything|nothing)\s+(?:except(?: for)?|but)\s+(?-i:{_LETTER})"
    rf"|^\W*(?:both |only |neither |either )?(?:the )?{_PLACE}(?: (?:one|two|three|four|ones))?"
    rf"(?:,? (?:and|or|nor) (?:the )?{_PLACE}(?: (?:one|two|three|four|ones))?)+{_THEY_ARE}"
    rf"|^\W*(?:both |only |neither of )?the {_PLACE} (?:two|three|four|ones){_THEY_ARE}"
)
_NAMES_OTHERS = re.compile(f"{_NAMES_OPTIONS}|{_NAMES_OPTIONS_ONLY}", re.IGNORECASE)
_QUESTION_NAMES = re.compile(_NAMES_OPTIONS, re.IGNORECASE)
# What stands before an option's text in its line of a prompt: "A. ", "(A) ", "A) ".
_LABEL = r"[ \t]*[(（]?{letter}[.)）:：、．][ \t]*"


@dataclass(frozen=True)
class Reordered:
    """A question with its options in another order.

    Attributes:
        order: the letters that the options had, in the order in which they stand now ("CABD": what was C is
            now A); the plain order where the question was left as it is.
        left: why it was left as it is, for people; "" where it was not.
    """

    document: Document
    order: str
    left: str = ""


def reordered(document: Document, seed: int) -> Reordered:
    """The question with its options in an order drawn by `seed` and its id: the same with any other run.

    Every order is as likely as any other, the published one included.
    """
    letters = "".join(document.options)
    if why := _why_left(document):
        return Reordered(document, letters, why)
    spans = _spans(document)
    if spans is None:
        return Reordered(document, letters, "its prompt does not show its options one a line")
    movable = _movable(document)
    drawn = list(movable)
    _random(seed, document.id).shuffle(drawn)
    came_from = {**dict(zip(letters, letters, strict=True)), **dict(zip(movable, drawn, strict=True))}
    options = {letter: document.options[came_from[letter]] for letter in letters}
    answer = document.answer
    if answer is not None:
        answer = next(letter for letter in letters if came_from[letter] == answer)
    return Reordered(
        replace(document, options=options, answer=answer, prompt=_with(document.prompt, spans, options)),
        "".join(came_from[letter] for letter in letters),
    )


def _why_left(document: Document) -> str:
    if len(document.options) < 2:
        return "it has no options"
    if named := next((text for text in document.options.values() if _NAMES_OTHERS.search(text)), None):
        return f"an option names others: {named[:60]!r}"
    if _QUESTION_NAMES.search(document.question):
        return "the question names options by letter or place"
    movable = _movable(document)
    for letter, text in document.options.items():
        if letter not in movable and _ABOVE.search(text) and movable and movable[-1] > letter:
            return f"an option speaks of those above it, and others stand below: {text[:60]!r}"
    return ""


def _movable(document: Document) -> list[str]:
    """The letters of options that do not speak of all others."""
    return [letter for letter, text in document.options.items() if not _OF_ALL.search(text)]


def _spans(document: Document) -> dict[str, tuple[int, int]] | None:
    """Where in the prompt each option's text stands; None where not each is found behind its own letter.

    Looked for from the end, since the question stands before its options and may hold their words.
    """
    spans: dict[str, tuple[int, int]] = {}
    end = len(document.prompt)
    for letter, text in reversed(document.options.items()):
        label = re.compile(_LABEL.format(letter=letter))
        at = document.prompt.rfind(text, 0, end)
        while at >= 0 and not label.fullmatch(document.prompt, document.prompt.rfind("\n", 0, at) + 1, at):
            at = document.prompt.rfind(text, 0, at + len(text) - 1)
        if at < 0:
            return None
        spans[letter] = (at, at + len(text))
        end = at
    return spans


def _with(prompt: str, spans: dict[str, tuple[int, int]], options: dict[str, str]) -> str:
    for letter, (start, end) in sorted(spans.items(), key=lambda item: -item[1][0]):
        prompt = prompt[:start] + options[letter] + prompt[end:]
    return prompt


def _random(seed: int, question: str) -> random.Random:
    digest = hashlib.sha256(f"{seed}\0{question}".encode("utf-8", "surrogatepass")).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
