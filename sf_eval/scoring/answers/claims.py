"""Which letters an output claims as its answer, where, and how firmly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.masking import Masked

# Characters that are searched, so that a hostile output costs no time.
_LONGEST_SENTENCE = 300
_LONGEST_LIST = 4000
_MOST_LABELS = 50


class Weight(IntEnum):
    """How firmly an answer is given."""

    placed = 0  # by its place only: at the end, in brackets
    hinted = 1  # "i think it's b"
    stated = 2  # at the start, "the answer is b", "b is correct"
    final = 3  # "final answer: b"


@dataclass(frozen=True)
class Claim:
    """Letters (lower case; several where they are named together) that are given as the answer."""

    at: int
    weight: Weight
    letters: frozenset[str]


def surviving_letter(claims: Iterable[Claim]) -> str | None:
    """The letter of the firmest claims, if they agree and nothing said after them disagrees."""
    ordered = sorted(claims, key=lambda claim: claim.at)
    if not ordered:
        return None
    firmest = max(claim.weight for claim in ordered)
    last = max(claim.at for claim in ordered if claim.weight == firmest)
    heard: set[str] = set()
    for claim in ordered:
        if claim.weight == firmest or (claim.at > last and claim.weight > Weight.placed):
            heard |= claim.letters
    return heard.pop() if len(heard) == 1 else None


def letter_claims(masked: Masked) -> list[Claim]:
    """All claims for letters that the output makes and does not take back."""
    text = masked.text
    claims = [*_at_start(masked), *_after_cues(masked), *_statements(masked)]
    retracted = max((found.end() for found in wording.RETRACTION.finditer(text)), default=0)
    return [claim for claim in (*claims, *_by_place(masked)) if claim.at >= retracted]


def _at_start(masked: Masked) -> Iterator[Claim]:
    """The output begins with a letter (or several): "b", "(b) text", "option b: text"."""
    text = masked.text
    found = wording.START.match(text)
    if not found or _is_label_of_list(text, found.start("letter")):
        return
    letter, end = found.group("letter"), found.end()
    labelled = bool(found.group("open"))
    if not _owns_text(masked, letter, end, bracketed=labelled):
        if letter in masked.names:
            ends = wording.ENDS_LABEL
        elif letter == "a" and not labelled:
            ends = wording.ENDS_START_ARTICLE
        else:
            ends = wording.ENDS_START
        if not (ends.match(text, end) or wording.ENDS_SENTENCE.match(text, end)):
            return
        if wording.WORD_FOLLOWS.match(text, end):
            return
    if not wording.DENIED_LATER.search(text, end):
        yield from _claim(masked, Weight.stated, found.start("letter"), letter, end)


def _after_cues(masked: Masked) -> Iterator[Claim]:
    """A letter follows words such as "the answer is" or "i think"."""
    text = masked.text
    finals = [found.start() for found in wording.FINAL.finditer(text)]
    for cue, weight in ((wording.STRONG, Weight.stated), (wording.WEAK, Weight.hinted)):
        for found in cue.finditer(text):
            named = wording.NAMED.match(text, found.end())
            if not named or not is_asserted(text, found) or _is_label_of_list(text, named.start("letter")):
                continue
            if weight < Weight.stated and wording.JOINED_BEFORE.search(
                text, max(0, found.start() - 20), found.start()
            ):
                continue
            letter, end, bracketed = named.group("letter"), named.end(), bool(named.group("open"))
            if letter == "a" and not bracketed:
                ends = wording.ENDS_ARTICLE
            elif letter in masked.names and weight < Weight.stated:
                ends = wording.ENDS_SENTENCE
            else:
                ends = wording.ENDS
            if ends.match(text, end) or _owns_text(masked, letter, end, bracketed=bracketed):
                is_final = weight == Weight.stated and finals and found.end() > finals[-1]
                yield from _claim(
                    masked, Weight.final if is_final else weight, named.start("letter"), letter, end
                )


def _statements(masked: Masked) -> Iterator[Claim]:
    """The output says of a letter that it is right: "b is correct"."""
    text = masked.text
    for found in wording.STATEMENT.finditer(text):
        letter, at = found.group("letter"), found.start()
        if letter in masked.names or not wording.BEFORE_STATEMENT.search(text, max(0, at - 20), at):
            continue
        if not is_asserted(text, found) or wording.CONDITION.match(text, found.end()):
            continue
        before = wording.ONE_BEFORE.search(text, max(0, at - 20), found.start("letter"))
        yield Claim(at, Weight.stated, frozenset({letter, *(before.groups() if before else ())}))


def _by_place(masked: Masked) -> Iterator[Claim]:
    """A letter ends the output, or stands in brackets at the end of a clause."""
    text = masked.text
    for found in (*wording.BRACKETED.finditer(text), *wording.LAST.finditer(text)):
        letter, at = found.group("letter"), found.start("letter")
        if letter in masked.names or not is_asserted(text, found) or denied_after(text, found.end()):
            continue
        before = wording.LISTED_BEFORE.search(text, max(0, at - 20), at)
        yield Claim(at, Weight.placed, frozenset({letter, *(before.groups() if before else ())}))


def _claim(masked: Masked, weight: Weight, at: int, letter: str, end: int) -> Iterator[Claim]:
    """The claim for `letter` and those named along with it, less what is denied right after it."""
    if denied_after(masked.text, end):
        return
    sentences = [{letter}]
    while another := wording.ANOTHER.match(masked.text, end):
        if wording.SENTENCE_APART.match(masked.text, end):
            sentences.append(set())
        sentences[-1].add(another.group("joined") or another.group("listed"))
        end = another.end()
        if denied_after(masked.text, end):
            sentences.pop()  # "b. a and c are wrong" keeps its b
            break
    if sentences:
        yield Claim(at, weight, frozenset().union(*sentences))


def denied_after(text: str, end: int) -> bool:
    """What ends at `end` (and the option text behind it) is called wrong right away: "(b) is not it"."""
    own = wording.OWN_TEXT.match(text, end)
    return bool(wording.DENIED.match(text, end) or (own and wording.DENIED.match(text, own.end())))


def is_asserted(text: str, found: re.Match[str]) -> bool:
    """The words of `found` are said as a fact: not denied, supposed, put in others' mouths, or asked."""
    start, end = found.start(), found.end()
    said = text[max(0, start - _LONGEST_SENTENCE) : end].rstrip(" \n:=->–—,")
    if wording.NEGATION.search(wording.CLAUSE_BREAK.split(said)[-1]):
        return False
    sentence = wording.SENTENCE_BREAK.split(said)[-1]
    if wording.HYPOTHESIS.search(sentence):
        return False
    if wording.NOUN.match(text, start) and wording.NOT_ONE.search(text, max(0, start - 40), start):
        return False
    ending = wording.SENTENCE_END.search(text, end, end + _LONGEST_SENTENCE)
    return not (ending and ending.group() == "?" and wording.QUESTION.match(sentence))


def _owns_text(masked: Masked, letter: str, end: int, *, bracketed: bool) -> bool:
    """After the letter comes its own option's text; after an "a" that could be an article, to its end."""
    own = wording.OWN_TEXT.match(masked.text, end)
    if not own or letter not in masked.letters[own.group("text")]:
        return False
    is_article = letter == "a" and not bracketed and wording.SPACE_ONLY.match(masked.text, end)
    return not is_article or wording.ENDS_TEXT.match(masked.text, own.end()) is not None


def _is_label_of_list(text: str, at: int) -> bool:
    """The letter at `at` is the first label of a list of options that is gone through or repeated."""
    if not wording.LABEL_END.match(text, at + 1):
        return False
    told = wording.EXPLANATION.split(text[at : at + _LONGEST_LIST], maxsplit=1)[0]
    labels = islice(wording.LABEL.finditer(told, 1), _MOST_LABELS)
    letters = list(dict.fromkeys([text[at], *(found.group("letter") for found in labels)]))
    return len(letters) > 1 and letters == sorted(letters)
