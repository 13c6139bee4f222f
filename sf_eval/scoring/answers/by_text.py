"""Which option's text an output gives, where it gives no letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.claims import Claim, Weight, is_asserted, surviving_letter
from sf_eval.scoring.answers.masking import Masked
from sf_eval.scoring.answers.normalise import bare, words

# Shorter texts ("red", "two cats") turn up in descriptions that answer nothing.
_MIN_WORDS_INSIDE = 3
# An output that is much longer than the option it contains is a description, not an answer.
_MAX_OTHER_WORDS = 12
_SIGN = re.compile(wording.TEXT)
_AT_START = re.compile(rf"[\s\"'(\[{{:\-–]{{0,4}}(?P<text>{wording.TEXT})")
_LABEL = re.compile(r"[(\[]?([a-h])\s*[.):\]]\s*")
_MINUS = re.compile(r"\W*[-–]\d")
_LIST_NUMBER = re.compile(r"[.)]\s*\w")


def whole_option(text: str, options: Mapping[str, str]) -> str | None:
    """The option (its letter) whose text, perhaps labelled, is the whole output.

    A lone letter is left to the letters.
    """
    said = bare(text)
    label = _LABEL.match(text)
    if label:
        labelled = next((letter for letter in options if letter.casefold() == label.group(1)), None)
        if labelled is not None and bare(options[labelled]) == bare(text[label.end() :]) != "":
            return labelled
    if said in set("abcdefgh") or _MINUS.match(text):
        return None
    found = [letter for letter, option in options.items() if said and bare(option) == said]
    return found[0] if len(found) == 1 else None


def option_given(masked: Masked) -> str | None:
    """The option (lower-case letter) whose text is given after a cue or at the start of the output."""
    claims = [*_after_cues(masked), *_at_start(masked)]
    letter = surviving_letter(claims)
    if letter is None:
        return None
    firmest = max(claims, key=lambda claim: (claim.weight, claim.at))
    rivals = _mentioned(masked, firmest.at if firmest.weight >= Weight.stated else 0) - {letter}
    return None if rivals else letter


def option_inside(masked: Masked) -> str | None:
    """The one option of three words or more that a short output contains, denied by nothing in it."""
    text = masked.text
    signs = set(_SIGN.findall(text))
    doubts = (wording.REFUSAL, wording.NEGATION, wording.ASIDE)
    if len(signs) != 1 or "?" in text or any(doubt.search(text) for doubt in doubts):
        return None
    sign = signs.pop()
    letter = masked.owner(sign)
    too_long = len(words(_SIGN.sub(" ", text))) > _MAX_OTHER_WORDS
    if letter is None or too_long or masked.length(sign) < _MIN_WORDS_INSIDE:
        return None
    return letter


def _after_cues(masked: Masked) -> Iterator[Claim]:
    for cue, weight in ((wording.STRONG, Weight.stated), (wording.WEAK, Weight.hinted)):
        for found in cue.finditer(masked.text):
            if is_asserted(masked.text, found):
                yield from _claim_at(masked, found.end(), weight)


def _at_start(masked: Masked) -> Iterator[Claim]:
    found = _AT_START.match(masked.text)
    if not found or wording.REFUSAL.search(masked.text):
        return
    if masked.is_number(found.group("text")) and _LIST_NUMBER.match(masked.text, found.end()):
        return
    yield from _claim_at(masked, 0, Weight.hinted)


def _claim_at(masked: Masked, position: int, weight: Weight) -> Iterator[Claim]:
    """The text at `position`, if it ends a clause there and is not called wrong."""
    found = _AT_START.match(masked.text, position)
    if not found or not wording.ENDS_TEXT.match(masked.text, found.end()):
        return
    if not wording.FALSE_TEXT.match(masked.text, found.end()):
        yield Claim(found.start("text"), weight, masked.letters[found.group("text")])


def _mentioned(masked: Masked, start: int) -> set[str]:
    """Letters of all texts that stand in the output from `start` on and are not denied."""
    letters: set[str] = set()
    for found in _SIGN.finditer(masked.text, start):
        clause = wording.CLAUSE_BREAK.split(masked.text[max(0, found.start() - 100) : found.start()])[-1]
        if not wording.NEGATION.search(clause):
            letters |= masked.letters[found.group()]
    return letters


def contradicts(text: str, letter: str) -> bool:
    """Another letter stands bare at the start or the end of the output."""
    first, last = wording.START.match(text), wording.ISOLATED.search(text)
    if first and first.group("letter") not in (letter, "a"):
        return True
    return bool(last and last.group(1) != letter and not text[: last.start()].rstrip().endswith("not"))
