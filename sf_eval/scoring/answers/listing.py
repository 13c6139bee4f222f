"""Options that an output lists, goes through, or gives numbers to: their labels answer nothing."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sf_eval.scoring.answers import wording

# Characters behind a letter in which labels still belong to the same list.
_LONGEST_LIST = 4000
_TICK = re.compile(r"\[\s?[x+✓]\s?\]|\[\s?[?\-]?\s?\]|^\W*\(\s?x?\s?\)(?=\s)")
_TICKED_LABEL = re.compile(
    rf"\W{{0,8}}(?:\d{{1,2}}[.)]\s*)?(?:(?:option|choice)\s+)?[(\[]?(?P<letter>[a-h])"
    rf"(?:\s?[.):\]\-–—]|\s*$|\s*{wording.TEXT})"
)


@dataclass(frozen=True)
class Label:
    """A letter that stands where lists have their labels; `at` is the letter's own place."""

    at: int
    letter: str


@dataclass(frozen=True)
class Listing:
    """The labels of an output.

    Attributes:
        labels: all of them, in order.
        listed: places of those that stand in a list of two options or more.
    """

    labels: tuple[Label, ...]
    listed: frozenset[int]
    _places: tuple[int, ...]
    _first: Mapping[str, int]
    _breaks: tuple[int, ...]

    def begins_at(self, text: str, at: int) -> bool:
        """The letter at `at` is a label, and other options follow it in the alphabet's order."""
        if at in self.listed:
            return True
        if not wording.LABEL_END.match(text, at + 1):
            return False
        first = bisect_right(self._places, at)
        stop = min((place for place in self._breaks if place > at), default=at + _LONGEST_LIST)
        heard = [text[at]]
        for label in self.labels[first : first + 50]:
            if label.at >= min(stop, at + _LONGEST_LIST):
                break
            if label.letter not in heard:
                heard.append(label.letter)
        return len(heard) > 1 and heard == sorted(heard)

    def goes_on_at(self, at: int, letter: str) -> bool:
        """The letter at `at` may be the next label of the list before it, which has not had it yet."""
        has_begun = bool(self._places) and self._places[0] < at
        return at in self.listed or (has_begun and self._first.get(letter, at) >= at)


def find_listing(text: str) -> Listing:
    """The labels of a normalised and masked text."""
    labels = tuple(
        Label(found.start(found.lastgroup or 0), found[found.lastgroup or 0])
        for found in wording.LABEL.finditer(text)
    )
    breaks = _breaks(text)
    listed = {label.at for run in _runs(labels, breaks) if len(run) > 1 for label in run}
    for valued in (wording.SCORE, wording.KEY):
        those = [label for label in labels if valued.match(text, label.at + 1)]
        if len({label.letter for label in those}) > 1:
            listed |= {label.at for label in those}
    first = {label.letter: label.at for label in reversed(labels)}
    return Listing(labels, frozenset(listed), tuple(label.at for label in labels), first, breaks)


def _breaks(text: str) -> tuple[int, ...]:
    """Where an explanation of the other options begins: a list there is none of the answer's."""
    found = list(wording.EXPLANATION.finditer(text))
    if len(found) == 1 and wording.EXPLAINS_LIST.match(text, found[0].end()):
        return (found[0].start(),)
    return ()


def _runs(labels: Iterable[Label], breaks: tuple[int, ...]) -> Iterator[list[Label]]:
    """Labels in a row whose letters ascend."""
    run: list[Label] = []
    for label in labels:
        is_apart = run and any(run[-1].at < place <= label.at for place in breaks)
        if run and (is_apart or label.letter <= run[-1].letter):
            yield run
            run = []
        run.append(label)
    yield run


@dataclass(frozen=True)
class Ticks:
    """What is ticked among options, and the text without the lines that have a mark beside an option."""

    text: str
    letters: frozenset[str]
    at: int


def find_ticks(text: str) -> Ticks:
    """Reads "- [x] b. blue" beside "- [ ] a. red", and ticks and crosses behind or before a label."""
    if not _TICK.search(text):
        return Ticks(text, frozenset(), 0)
    kept: list[str] = []
    letters: set[str] = set()
    for line in text.split("\n"):
        marks = list(_TICK.finditer(line))
        if not marks:
            kept.append(line)
            continue
        rest, is_outer = _without_mark(line, marks)
        label = _TICKED_LABEL.match(rest)
        if not is_outer:
            continue
        is_ticked = "x" in marks[0].group() or "+" in marks[0].group()
        if label and is_ticked:
            letters.add(label["letter"])
        elif is_ticked:
            kept.append(rest)
    return Ticks("\n".join(kept).strip(), frozenset(letters), 0)


def _without_mark(line: str, marks: list[re.Match[str]]) -> tuple[str, bool]:
    """The line without its mark, and whether it has one alone, at its beginning or its end."""
    mark = marks[0]
    before, after = line[: mark.start()], line[mark.end() :]
    at_start, at_end = not before.strip(" -+*>|\t"), not after.strip(" .|\t")
    return (after if at_start else before), len(marks) == 1 and at_start != at_end
