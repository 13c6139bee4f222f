"""Which letters an output claims as its answer, where, and how firmly."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from sf_eval.scoring.answers import turns, wording
from sf_eval.scoring.answers.assertion import denial_before, denied_after, is_asserted
from sf_eval.scoring.answers.listing import Listing, Ticks, find_listing
from sf_eval.scoring.answers.masking import Masked
from sf_eval.scoring.answers.reading import Rule

# Letters that are read together ("a, b and c").
_MOST_TOGETHER = 12
_OPTION_IN_CHINESE = ("选项", "選項", "選択肢")


class Weight(IntEnum):
    """How firmly an answer is given."""

    placed = 0  # by its place only: at the end, in brackets
    hinted = 1  # "i think it's b"
    leaning = 2  # "the answer is probably b", "b seems correct", "b, but ..."
    stated = 3  # at the start, "the answer is b", "b is correct"
    final = 4  # "final answer: b"


@dataclass(frozen=True)
class Claim:
    """Letters (lower case; several where they are named together) that are given as the answer.

    Attributes:
        at: the place of the letter; `end` that behind all that is named with it.
    """

    at: int
    weight: Weight
    letters: frozenset[str]
    rule: Rule
    end: int


def surviving_claim(claims: Iterable[Claim]) -> Claim | None:
    """The firmest claim, the last of several, if they agree and nothing said after them disagrees."""
    ordered = sorted(claims, key=lambda claim: claim.at)
    if not ordered:
        return None
    firmest = max(claim.weight for claim in ordered)
    survivor = [claim for claim in ordered if claim.weight == firmest][-1]
    heard: set[str] = set()
    for claim in ordered:
        if claim.weight == firmest or (claim.at > survivor.at and claim.weight > Weight.placed):
            heard |= claim.letters
    return survivor if len(heard) == 1 else None


def letter_claims(masked: Masked, ticks: Ticks, *, cut_off: bool) -> list[Claim]:
    """All claims for letters that the output makes.

    Args:
        cut_off: the output ends because the token limit was reached, not because the model had ended.
    """
    listing = find_listing(masked.text)
    claims = [
        *_at_start(masked, listing, cut_off=cut_off),
        *_after_cues(masked, listing),
        *_statements(masked),
    ]
    if not cut_off:  # else its end is no place that the model chose
        claims += _by_place(masked, listing)
    if ticks.letters:
        claims.append(Claim(0, Weight.stated, ticks.letters, Rule.ticked, 0))
    return claims


def _at_start(masked: Masked, listing: Listing, *, cut_off: bool) -> Iterator[Claim]:
    """The output begins with a letter (or several): "b", "(b) text", "option b: text"."""
    text = masked.text
    found = wording.START.match(text)
    if not found or listing.begins_at(text, found.start("letter")):
        return
    letter, end = found.group("letter"), found.end()
    labelled = bool(found.group("open"))
    owned = _owned_text(masked, letter, end, bracketed=labelled)
    if not owned:
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
    elif letter == "a" and _may_be_repeated(text, owned, cut_off=cut_off):
        return
    if not wording.DENIED_LATER.search(text, end):
        is_firm = not (turns.follows(text, owned or end) or turns.HEDGED_AFTER.match(text, owned or end))
        weight = Weight.stated if is_firm else Weight.leaning
        yield from _claim(masked, listing, weight, Rule.at_start, found.start("letter"), letter, end)


def _may_be_repeated(text: str, end: int, *, cut_off: bool) -> bool:
    """The first option and nothing else, where the output broke off: the others may have been to follow."""
    rest = text[end:]
    return cut_off and wording.NEXT_LABEL.fullmatch(rest) is not None


def _after_cues(masked: Masked, listing: Listing) -> Iterator[Claim]:
    """A letter follows words such as "the answer is" or "i think"."""
    text = masked.text
    finals = [found.start() for found in wording.FINAL.finditer(text)]
    for cue, firmness in ((wording.STRONG, Weight.stated), (wording.WEAK, Weight.hinted)):
        for found in cue.finditer(text):
            named = wording.NAMED.match(text, found.end())
            if not named or listing.begins_at(text, named.start("letter")) or not is_asserted(text, found):
                continue
            if found.group().startswith(_OPTION_IN_CHINESE) and _is_label(text, listing, found, named):
                continue
            is_hedged = turns.is_hedged(text, found) or turns.HEDGED_AFTER.match(text, named.end())
            weight = Weight.leaning if firmness == Weight.stated and is_hedged else firmness
            if weight < Weight.stated and _is_joined(text, found.start()):
                continue
            letter, end, bracketed = named.group("letter"), named.end(), bool(named.group("open"))
            if letter == "a" and not bracketed:
                ends = wording.ENDS_ARTICLE
            elif letter in masked.names and firmness < Weight.stated:
                ends = wording.ENDS_SENTENCE
            else:
                ends = wording.ENDS
            if ends.match(text, end) or _owned_text(masked, letter, end, bracketed=bracketed):
                rule = Rule.after_cue if weight == Weight.stated else Rule.after_hint
                if weight == Weight.stated and finals and found.end() > finals[-1]:
                    weight, rule = Weight.final, Rule.final_answer
                yield from _claim(masked, listing, weight, rule, named.start("letter"), letter, end)


def _is_joined(text: str, at: int) -> bool:
    """Before `at` stands another letter that is not denied: "a, or maybe" (b)."""
    found = wording.JOINED_BEFORE.search(text, max(0, at - 20), at)
    return found is not None and denial_before(text, found.start()) is None


def _statements(masked: Masked) -> Iterator[Claim]:
    """The output says of a letter that it is right: "b is correct"."""
    text = masked.text
    for found in wording.STATEMENT.finditer(text):
        letter, end = found.group("letter"), found.end()
        at = end - len(found.group().lstrip())
        is_option = wording.IS_PREFIXED.search(text, at, found.start("letter")) is not None
        if letter in masked.names and not (is_option or wording.SAYS_ANSWER.match(text, end)):
            continue
        if not wording.BEFORE_STATEMENT.search(text, max(0, at - 20), at):
            continue
        if not is_asserted(text, found) or wording.CONDITION.match(text, end) or text.startswith("?", end):
            continue
        before = wording.ONE_BEFORE.search(text, max(0, at - 20), found.start("letter"))
        letters = frozenset({letter, *(before.groups() if before else ())})
        yield Claim(at, Weight.leaning if found["hedge"] else Weight.stated, letters, Rule.statement, end)
    for found in wording.CHINESE_STATEMENT.finditer(text):
        at, end = found.start("letter"), found.end()
        if is_asserted(text, found):
            before = wording.LISTED_BEFORE.search(text, max(0, at - 20), at)
            letters = frozenset({found["letter"], *(before.groups() if before else ())})
            yield Claim(at, Weight.stated, letters, Rule.statement, end)


def _by_place(masked: Masked, listing: Listing) -> Iterator[Claim]:
    """A letter ends the output, or stands in brackets at the end of a clause."""
    text = masked.text
    for rule, pattern in ((Rule.in_brackets, wording.BRACKETED), (Rule.at_end, wording.LAST)):
        for found in pattern.finditer(text):
            letter, at = found.group("letter"), found.start("letter")
            if letter in masked.names or at in listing.listed or listing.is_introduced_at(at, letter):
                continue
            if rule is Rule.at_end and _may_go_on(text, listing, found):
                continue
            if not is_asserted(text, found) or denied_after(text, found.end()):
                continue
            before = wording.LISTED_BEFORE.search(text, max(0, at - 20), at)
            letters = frozenset({letter, *(before.groups() if before else ())})
            # Behind the list of all options the last letter is more than a place: "b", the list, "c".
            weight = Weight.hinted if rule is Rule.at_end and listing.listed else Weight.placed
            yield Claim(at, weight, letters, rule, found.end())


def _may_go_on(text: str, listing: Listing, found: re.Match[str]) -> bool:
    """The last letter is where a list of the options begins or goes on, and the output broke off."""
    last = listing.last_listed_before(found.start("letter"))
    if last is not None and not wording.SAID.search(text, last + 1, found.start("letter")):
        return True  # "b. b": the label, and the beginning of its text
    return _is_announced(text, found.start() + 1) or listing.goes_on_at(
        found.start("letter"), found.group("letter")
    )


def _is_label(text: str, listing: Listing, cue: re.Match[str], named: re.Match[str]) -> bool:
    """The Chinese "option b" begins a line of a list instead of giving the answer."""
    announced = _is_announced(text, cue.start())
    return announced or listing.is_introduced_at(named.start("letter"), named["letter"])


def _is_announced(text: str, at: int) -> bool:
    return text[max(0, at - 40) : at].rstrip().endswith(":")


def _claim(
    masked: Masked, listing: Listing, weight: Weight, rule: Rule, at: int, letter: str, end: int
) -> Iterator[Claim]:
    """The claim for `letter` and those named along with it, less what is denied right after it."""
    if denied_after(masked.text, end):
        return
    sentences = [{letter}]
    for _ in range(_MOST_TOGETHER):
        another = wording.ANOTHER.match(masked.text, end)
        if not another or _is_listed_apart(listing, another, at):
            break
        if wording.SENTENCE_APART.match(masked.text, end):
            sentences.append(set())
        sentences[-1].add(another.group("joined") or another.group("listed"))
        end = another.end()
        if denied_after(masked.text, end):
            sentences.pop()  # "b. a and c are wrong" keeps its b
            break
    if sentences:
        yield Claim(at, weight, frozenset().union(*sentences), rule, end)


def _is_listed_apart(listing: Listing, another: re.Match[str], at: int) -> bool:
    """ "b", and then the list of all options: its labels are not named along with the b."""
    place = another.start("joined") if another["joined"] else another.start("listed")
    return place in listing.listed and at not in listing.listed


def _owned_text(masked: Masked, letter: str, end: int, *, bracketed: bool) -> int | None:
    """Where the letter's own option text behind it ends; after a possible article only at a clause's end."""
    own = wording.OWN_TEXT.match(masked.text, end)
    if not own or letter not in masked.letters[own.group("text")]:
        return None
    is_article = letter == "a" and not bracketed and wording.SPACE_ONLY.match(masked.text, end)
    return None if is_article and not wording.ENDS_TEXT.match(masked.text, own.end()) else own.end()
