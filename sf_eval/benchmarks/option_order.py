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

_OF_ALL = re.compile(
    r"\b(?:all|none|any|both|neither|either|some|each)(?: of)? (?:the |these |those )?"
    r"(?:above|options|choices|answers)\b|\b(?:all|none|both|neither|any) of (?:these|those)\W*$"
    r"|\b(?:mentioned|listed|stated|given) above\b",
    re.IGNORECASE,
)
_LETTER = r"[(\[\"']?[A-H][)\]\"']?"
_NAMES_OTHERS = re.compile(
    rf"\b(?:[Oo]ptions?|[Cc]hoices?|[Aa]nswers?)\s+{_LETTER}(?![\w'’])"
    rf"|\b(?:[Bb]oth|[Ee]ither|[Nn]either|[Oo]nly|[Aa]ll|[Nn]ot)\s+{_LETTER}\s*(?:,|&|/|and|or|nor)\s*{_LETTER}(?!\w)"
    rf"|^\s*{_LETTER}(?:\s*(?:,|&|/|and|or)\s*{_LETTER})+(?:\s+only|\s+are\b.*)?\W*$"
    r"|\bthe (?:first|second|third|fourth|fifth|last|previous|next|other)"
    r"(?: (?:one|two|three))?(?: and (?:the )?\w+)? (?:options?|choices?|answers?)\b"
)
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
    movable = [letter for letter in letters if not _OF_ALL.search(document.options[letter])]
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
    if _NAMES_OTHERS.search(document.question):
        return "the question names options by letter or place"
    return ""


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
