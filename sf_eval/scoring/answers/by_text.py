"""Which option's text an output gives, where it gives no letter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.assertion import is_asserted, is_refused
from sf_eval.scoring.answers.claims import Claim, Weight, surviving_claim
from sf_eval.scoring.answers.masking import Masked
from sf_eval.scoring.answers.normalise import bare, steps, words
from sf_eval.scoring.answers.reading import Rule
from sf_eval.scoring.answers.turns import Turns

# Shorter texts ("red", "two cats") turn up in descriptions that answer nothing.
_MIN_WORDS_INSIDE = 3
# An output that is much longer than the option it contains is a description, not an answer.
_MAX_OTHER_WORDS = 12
_SIGN = re.compile(wording.TEXT)
_AT_START = re.compile(rf"[\s\"'(\[{{:\-–]{{0,4}}(?P<text>{wording.TEXT})")
_LABEL = re.compile(r"(?:(?:option|choice)\s+)?[(\[]?([a-z])\s*[.):\]]\s*")
_WORDS = "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_NUMBER_WORDS = {word: str(number) for number, word in enumerate(_WORDS.split("|"))}
_NUMBER = rf"\d{{1,4}}|{_WORDS}"
# Words that would make another number of it, or a time, a place, a comparison.
_UNCOUNTED = (
    r"(?:or|and|to|out|of|than|more|less|fewer|about|around|at|in|on|by|from|not|no|per|before|after|plus"
    r"|minus"
    rf"|times|half|dozen|hundred|thousand|am|pm|[a-h]|{_WORDS})"
)
_THING = rf"(?:\s(?!{_UNCOUNTED}\b)[a-z]{{2,20}}){{0,3}}"
_COUNT = re.compile(
    rf"(?:there (?:are|is|were|was)\s|i (?:can )?(?:see|count(?:ed)?)\s|a total of\s)?(?:(?:only|exactly"
    rf"|just)\s)?"
    rf"(?P<first>{_NUMBER})(?<!\d\d\d\d\d){_THING}(?:\s(?:in|on|throughout) the (?:video|clip|scene|image"
    rf"|frame))?[.!]?"
    rf"|the (?:total )?(?:number|count) of(?:\s(?!{_UNCOUNTED}\b)[a-z]{{2,20}}){{1,3}}"
    rf"(?:\s(?:in|on) the (?:video|clip|scene|image|frame))? (?:is|was) (?P<last>{_NUMBER})[.!]?"
)
_MINUS = re.compile(r"\W*[-–]\d")
# "yes — he jumps": behind other texts a dash may go on with the text.
_YES_OR_NO = frozenset({"yes", "no"})
_DASH = re.compile(r"\s?—\s?|\s[-–]{1,2}\s")
_LIST_NUMBER = re.compile(r"[.)]\s*\w")


def whole_option(text: str, options: Mapping[str, str]) -> tuple[str, Rule] | None:
    """The option (its letter) whose text, perhaps labelled, is the whole output.

    A lone letter is left to the letters.
    """
    label = _LABEL.match(text)
    if label:
        labelled = next((letter for letter in options if letter.casefold() == label.group(1)), None)
        if labelled is not None and _option(options[labelled]) == _text(text[label.end() :]) != "":
            return labelled, Rule.labelled_text
    said = _text(text)
    if not said or (len(said) == 1 and said.isalpha()) or _MINUS.match(text):
        return None
    found = [letter for letter, option in options.items() if _option(option) == said]
    return (found[0], Rule.whole_text) if len(found) == 1 else None


def _text(text: str) -> str:
    """What two spellings of the same option text have in common."""
    return "->".join(step.strip() for step in steps(bare(text)))


@lru_cache(maxsize=4096)
def _option(text: str) -> str:
    return _text(text)


def counted(text: str, options: Mapping[str, str]) -> str | None:
    """The option that is the number in "3 people" or "the number of people is 3".

    Only where all options are numbers, and where the output says one number and nothing more of note.
    """
    numbers = {_option(option): letter for letter, option in options.items()}
    if len(numbers) != len(options) or not all(number.isdecimal() for number in numbers):
        return None
    found = _COUNT.fullmatch(text)
    if not found:
        return None
    said = found["first"] or found["last"]
    return numbers.get(_NUMBER_WORDS.get(said, said))


def option_given(masked: Masked) -> Claim | None:
    """The claim for the option whose text is given after a cue or at the start of the output."""
    claim = surviving_claim([*_after_cues(masked), *_at_start(masked)])
    if claim is None:
        return None
    rivals = _mentioned(masked, claim.at if claim.weight >= Weight.stated else 0) - claim.letters
    return None if rivals else claim


def option_inside(masked: Masked) -> Claim | None:
    """The claim for the one option of three words or more that a short output contains and nowhere denies."""
    text = masked.text
    signs = set(_SIGN.findall(text))
    doubts = (wording.REFUSAL, wording.NEGATION, wording.ASIDE, wording.LIST_INTRODUCTION)
    if len(signs) != 1 or "?" in text or any(doubt.search(text) for doubt in doubts):
        return None
    sign = signs.pop()
    letter = masked.owner(sign)
    too_long = len(words(_SIGN.sub(" ", text))) > _MAX_OTHER_WORDS
    if letter is None or too_long or masked.length(sign) < _MIN_WORDS_INSIDE:
        return None
    return Claim(
        text.index(sign), Weight.placed, frozenset({letter}), Rule.text_inside, text.rindex(sign) + 1
    )


def _after_cues(masked: Masked) -> Iterator[Claim]:
    for cue, weight in ((wording.STRONG, Weight.stated), (wording.WEAK, Weight.hinted)):
        for found in cue.finditer(masked.text):
            if _AT_START.match(masked.text, found.end()) and is_asserted(masked.text, found):
                yield from _claim_at(masked, found.end(), weight, Rule.text_after_cue)


def _at_start(masked: Masked) -> Iterator[Claim]:
    found = _AT_START.match(masked.text)
    if not found or wording.REFUSAL.search(masked.text):
        return
    if masked.is_number(found.group("text")) and _LIST_NUMBER.match(masked.text, found.end()):
        return
    yield from _claim_at(masked, 0, Weight.hinted, Rule.text_at_start)


def _claim_at(masked: Masked, position: int, weight: Weight, rule: Rule) -> Iterator[Claim]:
    """The text at `position`, if it ends a clause there and is not called wrong."""
    found = _AT_START.match(masked.text, position)
    if not found or not _ends(masked, found):
        return
    if not wording.FALSE_TEXT.match(masked.text, found.end()):
        yield Claim(found.start("text"), weight, masked.letters[found.group("text")], rule, found.end())


def _ends(masked: Masked, found: re.Match[str]) -> bool:
    """The text that was found ends a clause."""
    if wording.ENDS_TEXT.match(masked.text, found.end()):
        return True
    is_yes_or_no = masked.texts[found.group("text")] in _YES_OR_NO
    return is_yes_or_no and _DASH.match(masked.text, found.end()) is not None


def _mentioned(masked: Masked, start: int) -> set[str]:
    """Letters of all texts that stand in the output from `start` on and are not denied."""
    letters: set[str] = set()
    for found in _SIGN.finditer(masked.text, start):
        if not is_refused(masked.text, found.start()):
            letters |= masked.letters[found.group()]
    return letters


def contradicts(masked: Masked, claim: Claim, turns: Turns) -> bool:
    """Another letter stands bare at the start or the end of the output, or is named after the text."""
    text = masked.text
    first, last = wording.START.match(text), wording.ISOLATED.search(text)
    if first and first.group("letter") not in {*claim.letters, "a"}:
        return True
    if last and last.group(1) not in claim.letters and not text[: last.start()].rstrip().endswith("not"):
        return True
    return turns.names_another(claim.letters, claim.end)
