"""Whether words of an output are said as a fact: not denied, supposed, asked, or put in others' mouths."""

from __future__ import annotations

import re

from sf_eval.scoring.answers import wording

# Characters that are searched, so that a hostile output costs no time.
_LONGEST_SENTENCE = 300


def denied_after(text: str, end: int) -> bool:
    """What ends at `end` (and the option text behind it) is called wrong right away: "(b) is not it"."""
    own = wording.OWN_TEXT.match(text, end)
    return bool(wording.DENIED.match(text, end) or (own and wording.DENIED.match(text, own.end())))


def is_negated(text: str, at: int) -> bool:
    """In the clause up to `at` stands a word of denial."""
    said = text[max(0, at - _LONGEST_SENTENCE) : at]
    return wording.NEGATION.search(wording.CLAUSE_BREAK.split(said)[-1]) is not None


def is_asserted(text: str, found: re.Match[str]) -> bool:
    """The words of `found` are said as a fact: not denied, supposed, put in others' mouths, or asked."""
    start, end = found.start(), found.end()
    said = text[max(0, start - _LONGEST_SENTENCE) : end].rstrip(" \n:=->–—,")
    if is_negated(said, len(said)):
        return False
    sentence = wording.SENTENCE_BREAK.split(said)[-1]
    if wording.HYPOTHESIS.search(sentence):
        return False
    if wording.NOUN.match(text, start) and wording.NOT_ONE.search(text, max(0, start - 40), start):
        return False
    ending = wording.SENTENCE_END.search(text, end, end + _LONGEST_SENTENCE)
    return not (ending and ending.group() == "?" and wording.QUESTION.match(sentence))
