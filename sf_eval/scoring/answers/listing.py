"""Options that an output lists, goes through, or gives numbers to: their labels answer nothing."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sf_eval.scoring.answers import wording
from sf_eval.scoring.answers.normalise import TICKED, UNCLEAR, UNTICKED

# Characters behind a letter in which labels still belong to the same list.
_LONGEST_LIST = 4000
_TICK = re.compile(r"\[\s?[x?\-]?\s?\]|(?:^|(?<=\n))\(\s?x?\s?\)(?=\s)")
_TICKED_LABEL = re.compile(
    rf"\W{{0,8}}(?:\d{{1,2}}[.)]\s*)?(?:(?:option|choice)\s+)?[(\[]?(?P<letter>[a-h])"
    rf"(?:\s?[.):\]\-–—]|\s*$|\s*{wording.TEXT})"
)


@dataclass(frozen=True)
class Label:
    """A letter that stands where lists have their labels.

    Attributes:
        at: the letter's own place.
        is_bare: the output ends with it, with no sign behind it that makes it a label.
    """

    at: int
    letter: str
    is_bare: bool


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
    _introduced: int
    _in_list: Mapping[str, int]

    def begins_at(self, text: str, at: int) -> bool:
        """The letter at `at` is a label, and other options follow it in the alphabet's order."""
        if at in self.listed:
            return True
        if not wording.LABEL_END.match(text, at + 1):
            return False
        first = bisect_right(self._places, at)
        if first < len(self.labels) and self.labels[first].letter == text[at]:
            return False  # "a. red", and then the list from its beginning
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

    def last_listed_before(self, at: int) -> int | None:
        """The place of the last label before `at`, if it stands in a list."""
        place = bisect_left(self._places, at) - 1
        return self._places[place] if place >= 0 and self._places[place] in self.listed else None

    def is_introduced_at(self, at: int, letter: str) -> bool:
        """The letter at `at` is the next one of a list that was announced in words: "each option:"."""
        if at < self._introduced:
            return False
        has_been = self._in_list.get(letter, at) < at
        return not has_been and (letter == "a" or self._in_list.get(chr(ord(letter) - 1), at) < at)


def _label(text: str, found: re.Match[str]) -> Label:
    group = found.lastgroup or 0
    at = found.start(group)
    return Label(
        at, found[group], is_bare=not text[at + 1 :].strip(" \"')]}") if at + 8 > len(text) else False
    )


def find_listing(text: str) -> Listing:
    """The labels of a normalised and masked text."""
    labels = tuple(_label(text, found) for found in wording.LABEL.finditer(text))
    breaks = _breaks(text)
    listed = {label.at for run in _runs(labels, breaks) if len(run) > 1 for label in run}
    listed |= _mapped(text, labels)
    first = {label.letter: label.at for label in reversed(labels)}
    introduced = wording.LISTS_OPTIONS.search(text)
    begins = introduced.end() if introduced else len(text) + 1
    in_list: dict[str, int] = {}
    for found in wording.IN_LIST.finditer(text, begins):
        in_list.setdefault(found["letter"], found.start("letter"))
    places = tuple(label.at for label in labels)
    return Listing(labels, frozenset(listed), places, first, breaks, begins, in_list)


def _mapped(text: str, labels: Sequence[Label]) -> set[int]:
    """Places of letters that are given numbers or texts, in whatever order: "b: 80%, a: 10%"."""
    mapped: set[int] = set()
    for valued in (wording.SCORE, wording.KEY, wording.PAIR):
        those = [label for label in labels if valued.match(text, label.at + 1)]
        if len({label.letter for label in those}) > 1:
            mapped.update(label.at for label in those)
    if len({label.letter for label in labels}) > 1:
        mapped.update(label.at for label in labels if wording.SHARE.match(text, label.at + 1))
    if text.startswith(("{", "[{")):  # a mapping that may have been cut off after its first key
        mapped.update(label.at for label in labels if wording.KEY.match(text, label.at + 1))
    return mapped


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
        is_next = bool(run) and ord(label.letter) == ord(run[-1].letter) + 1
        if run and (is_apart or label.letter <= run[-1].letter or (label.is_bare and not is_next)):
            yield run
            run = []
        run.append(label)
    yield run


@dataclass(frozen=True)
class Ticks:
    """What is ticked among options, and the text without the lines whose mark says something of an option."""

    text: str
    letters: frozenset[str]


def find_ticks(text: str) -> Ticks:
    """Reads "- [x] b. blue" beside "- [ ] a. red", and ticks and crosses behind or before a label."""
    if not _TICK.search(text):
        return Ticks(text, frozenset())
    kept: list[str] = []
    letters: set[str] = set()
    lines = [_marked(line) for line in text.split("\n")]
    is_alone = sum(mark is not None for mark, _ in lines) == 1
    for mark, rest in lines:
        label = _TICKED_LABEL.match(rest) if mark == TICKED else None
        if label:
            letters.add(label["letter"])
        elif mark in (None, TICKED) or (mark == UNCLEAR and is_alone):
            kept.append(rest)
    return Ticks("\n".join(kept).strip(), frozenset(letters))


def _marked(line: str) -> tuple[str | None, str]:
    """The one mark that a line has at its beginning or its end, or None, and the line without marks.

    Marks between words may belong to what is before or behind them: of such a line nothing is left.
    """
    marks = list(_TICK.finditer(line))
    begin, end, first, last = 0, len(line), 0, len(marks)
    while first < last and not line[begin : marks[first].start()].strip(" -+>|\t"):
        begin, first = marks[first].end(), first + 1
    while last > first and not line[marks[last - 1].end() : end].strip(" .|\t"):
        end, last = marks[last - 1].start(), last - 1
    if last - first > 0 or (first and last < len(marks)):
        return None, ""
    if len(marks) != 1:  # none, or a row of them that decorates
        return None, line[begin:end]
    sign = marks[0].group()
    mark = TICKED if "x" in sign else UNCLEAR if "?" in sign else UNTICKED
    return mark, line[begin:end]
