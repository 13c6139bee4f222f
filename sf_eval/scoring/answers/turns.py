"""Hedges, and turns to another answer: "i think a, but b is better".

A claim that was hedged falls where another option is named after it and is not denied. A claim that was
stated stands, unless it is taken back.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.assertion import denied_after, is_refused
from sf_eval.scoring.answers.masking import Masked

_MOST_TOGETHER = 12
_BEHIND_A_HEDGE = 120
_HEDGE = re.compile(
    r"\b(?:think|thought|guess\w*|believe|suppose|suspect|feel\w*|reckon|maybe|perhaps|possibly|probably"
    r"|presumably"
    r"|apparently|(?<!most )likely|might|may|could|seem\w*|appear(?:s|ed)?|would be|lean\w*|inclined"
    r"|tempted|first|initial\w*"
    r"|instinct|gut|glance|tentative\w*|provisional\w*|preliminary|not (?:[a-z]+ )?(?:sure|certain)"
    r"|if i had to)\b"
    r"|可能|也许|或许|大概|觉得"
)
HEDGED_AFTER = re.compile(
    r"[\s.,;:()\-–—]{0,4}(?:i (?:think|guess|believe|suppose|suspect)|maybe|perhaps|probably|possibly"
    r"|presumably"
    r"|(?:but )?(?:i'm|i am) not (?:[a-z]+ )?(?:sure|certain)|not (?:[a-z]+ )?sure|可能|也许)\b"
)
_ANEW = (
    r"(?:in (?:actual )?fact|as a matter of fact|instead(?! of)|rather(?! than)|then again|on reflection"
    r"|after all"
    r"|(?:up)?on (?:a |an )?(?:closer|further|second|deeper|careful|another|more careful|more detailed"
    r"|re-?) ?"
    r"(?:look|inspection|examination|review|consideration|reflection|viewing|glance|analysis|thought)s?"
    r"|(?:looking|watching|thinking|checking) (?:closer|again|more (?:closely|carefully)|about it|it over"
    r"|back))"
)
_TAKEN_BACK_FOR_ANOTHER = re.compile(
    rf"(?:[.,;:!?\n\-–—]\s*|\b(?:but|and|or|yet|though|no)\s+){_ANEW}\b|其实|实际上|等等"
    r"|(?:[.,;:!?\n\-–—]\s*|\b(?:but|and|oh)\s+)(?:no|nope),?\s+(?=(?:(?:it's|it is|that's|option)\s+)?["
    r"(\[]?[a-h](?![a-z0-9']))"
)
_TURN_WORDS = (
    r"(?:\b(?:but|however|though|although|yet|nevertheless|nonetheless|whereas|while|alternatively"
    r"|actually|wait|no"
    rf"|nope|hmm+|on the other hand|that said|even so|on second thoughts?|hold on|{_ANEW})\b"
    r"|但|不过|不過|然而|可是|其实|实际上|而)"
)
_TURN = re.compile(_TURN_WORDS)
_TURN_FOLLOWS = re.compile(rf"[^.;!?\n]{{0,160}}?(?:[.;!?\n]{{1,4}}\s*)?{_TURN_WORDS}")
_SIGN = re.compile(wording.TEXT)
# What follows an "a" that is a letter and no article.
_A_IS_A_LETTER = re.compile(
    r"\s+(?:is|was|fits|matches|seems|looks|appears|describes|would|could|might|may|must|has|makes|works"
    r"|remains|also"
    r"|does|can|should|captures|explains|suits|sounds|feels|wins|comes|instead|too|better|更|也)\b|\s*"
    r"(?:更|也|选项|才|比)"
)
_CLOSED = re.compile(r"\s?[)\]}>\"']")


def is_hedged(text: str, cue: re.Match[str]) -> bool:
    """The sentence up to the end of the cue says that the answer is a guess, or one for a start."""
    said = text[max(0, cue.start() - _BEHIND_A_HEDGE) : cue.end()]
    return _HEDGE.search(wording.SENTENCE_BREAK.split(said.rstrip())[-1]) is not None


def follows(text: str, end: int) -> bool:
    """The sentence turns after `end`, or the next one begins with a turn."""
    return _TURN_FOLLOWS.match(text, end) is not None


@dataclass(frozen=True)
class Turns:
    """Where an output names options, and where it turns from what it said."""

    masked: Masked

    def names_another(self, letters: frozenset[str], start: int) -> bool:
        """From `start` on another option's letter is named that is not denied."""
        return any(at >= start for letter, at in self._last_named.items() if letter not in letters)

    def is_contested(self, letters: frozenset[str], end: int, *, cut_off: bool) -> bool:
        """Behind a hedged claim for `letters` that ends at `end`, another option is given."""
        if self.names_another(letters, end):
            return True
        text = self.masked.text
        turned = [found.end() for found in _TURN.finditer(text, end)]
        if not turned:
            return False
        if cut_off and len(text) - turned[-1] < _BEHIND_A_HEDGE:
            return True
        return any(
            not self.masked.letters[sign.group()] & letters and not is_refused(text, sign.start())
            for sign in _SIGN.finditer(text, turned[0])
        )

    def is_taken_back(self, letters: frozenset[str], at: int) -> bool:
        """What was claimed at `at` is taken back, or given up for another option."""
        if at < self._last_retraction:
            return True
        place = bisect_left(self._turned_anew, at)
        return place < len(self._turned_anew) and self.names_another(letters, self._turned_anew[place])

    @cached_property
    def _last_retraction(self) -> int:
        return max((found.end() for found in wording.RETRACTION.finditer(self.masked.text)), default=0)

    @cached_property
    def _turned_anew(self) -> list[int]:
        return [found.start() for found in _TAKEN_BACK_FOR_ANOTHER.finditer(self.masked.text)]

    @cached_property
    def _last_named(self) -> Mapping[str, int]:
        """The last place at which each letter is named as an option and not denied."""
        text = self.masked.text
        last: dict[str, int] = {}
        for found in wording.NAMED.finditer(text):
            end = found.end()
            if (
                not _means_option(self.masked, found)
                or denied_after(text, end)
                or is_refused(text, found.start())
            ):
                continue
            for _ in range(_MOST_TOGETHER):
                another = wording.ANOTHER.match(text, end)
                if not another:
                    break
                end = another.end()
            if end == found.end() or not denied_after(text, end):
                last[found["letter"]] = found.start("letter")
        return last


def _means_option(masked: Masked, found: re.Match[str]) -> bool:
    """The letter is no article and nobody's name."""
    text, letter, end = masked.text, found["letter"], found.end()
    is_article, is_name = letter == "a", letter in masked.names
    if not is_article and not is_name:
        return True
    if wording.IS_PREFIXED.search(text, found.start(), found.start("letter")):
        return True
    if found["open"] and _CLOSED.match(text, end):
        return True
    if is_name:
        return wording.STATEMENT.match(text, found.start()) is not None
    return bool(wording.ENDS_ARTICLE.match(text, end) or _A_IS_A_LETTER.match(text, end))
