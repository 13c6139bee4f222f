"""Whether words of an output are said as a fact: not denied, supposed, asked, or put in others' mouths."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from sf_eval.scoring.answers import wording

# Characters that are searched, so that a hostile output costs no time.
_LONGEST_SENTENCE = 300
_GIVES_AFTER_ALL = re.compile(r"\b(?:that|doubt|but|only|sure|certain|more)\b")
_IGNORED_END = frozenset(" \n:=->–—,")


@dataclass(frozen=True)
class _Spans:
    """Where a pattern matches in a text, in order."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def last_within(self, begin: int, end: int) -> int | None:
        """Where the last match starts that lies within `begin` to `end`."""
        place = bisect_right(self.ends, end) - 1
        return self.starts[place] if place >= 0 and self.starts[place] >= begin else None

    def last_end(self, end: int) -> int:
        """Where the last match ends that ends before `end`, or at it; 0 where none does."""
        place = bisect_right(self.ends, end) - 1
        return self.ends[place] if place >= 0 else 0


@dataclass(frozen=True)
class _Parts:
    """The parts of a text, found once, so that each place in it costs little."""

    clauses: _Spans
    sentences: _Spans
    denials: _Spans
    hypotheses: _Spans


@lru_cache(maxsize=8)
def _parts(text: str) -> _Parts:
    return _Parts(
        _spans(wording.CLAUSE_BREAK, text),
        _spans(wording.SENTENCE_BREAK, text),
        _spans(wording.NEGATION, text),
        _spans(wording.HYPOTHESIS, text),
    )


def _spans(pattern: re.Pattern[str], text: str) -> _Spans:
    found = [match.span() for match in pattern.finditer(text)]
    return _Spans(tuple(start for start, _ in found), tuple(end for _, end in found))


def denied_after(text: str, end: int) -> bool:
    """What ends at `end` (and the option text behind it) is called wrong right away: "(b) is not it"."""
    own = wording.OWN_TEXT.match(text, end)
    return bool(wording.DENIED.match(text, end) or (own and wording.DENIED.match(text, own.end())))


def denial_before(text: str, at: int) -> int | None:
    """Where the last word of denial begins in the clause up to `at`, if there is one."""
    parts = _parts(text)
    return parts.denials.last_within(max(parts.clauses.last_end(at), at - _LONGEST_SENTENCE), at)


def is_refused(text: str, at: int) -> bool:
    """The letter at `at` is denied by a word close before it; "except that b" and "no doubt b" deny no b."""
    denied = denial_before(text, at)
    return denied is not None and not _GIVES_AFTER_ALL.search(text, denied, at)


def is_asserted(text: str, found: re.Match[str]) -> bool:
    """The words of `found` are said as a fact: not denied, supposed, put in others' mouths, or asked."""
    start, end = found.start(), found.end()
    at = end
    while at > max(0, end - 20) and text[at - 1] in _IGNORED_END:
        at -= 1
    if denial_before(text, at) is not None:
        return False
    parts = _parts(text)
    begin = max(parts.sentences.last_end(at), at - _LONGEST_SENTENCE, 0)
    if parts.hypotheses.last_within(begin, at) is not None:
        return False
    if wording.NOUN.match(text, start) and wording.NOT_ONE.search(text, max(0, start - 40), start):
        return False
    ending = wording.SENTENCE_END.search(text, end, end + _LONGEST_SENTENCE)
    return not (ending and ending.group() == "?" and wording.QUESTION.match(text, begin))
