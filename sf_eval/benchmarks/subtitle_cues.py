"""The cues of a subtitle file: SubRip (.srt), WebVTT, YouTube's SBV and ASS, whatever the file is called.

What is meant is read, also where it is not quite the form: times without hours or milliseconds, before 0,
with other arrows. A line that looks like times and is not is an error, since its text would be lost or glued
to the one before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sf_eval.benchmarks.subtitle_text import SubtitleError, plain, plain_ass

# [-][hours:]minutes:seconds[.fraction]; translation programs put spaces behind the marks, others a minus into
# the middle.
_TIME = (
    r"(?P<sign{0}>[-−]?)(?:(?P<h{0}>\d{{1,3}})\s?[:：]\s?)?"
    r"(?P<m{0}>[-−]?\d{{1,3}})\s?[:：]\s?(?P<s{0}>[-−]?\d{{1,2}})"
    r"(?:\s?(?:[.,，]\s?(?P<f{0}>[-−]?\d{{1,9}})|[:;](?P<ms{0}>\d{{3}})))?"
)
_START, _END = _TIME.format(1), _TIME.format(2)
_ARROW = r"\s*(?P<arrow>[-–—=]{1,2}\s?[-–—=]?\s?[>＞]|→|⟶)\s*"
_TIMES = re.compile(rf"\s*(?:\d+\s+)?{_START}{_ARROW}{_END}(?P<rest>(?:\s.*)?)$")
_SBV_TIMES = re.compile(rf"\s*{_START}\s*,\s*{_END}(?P<rest>)\s*$")
_SETTING = re.compile(r"[A-Za-z][A-Za-z0-9]*:\S*")

# Meant as times: digits before the arrow; or, where times are due, an arrow beside digits, or nothing but a
# time or two.
_BEFORE_ARROW = re.compile(r"\s*[-−]?\d[\d\s:：.,;−-]*-->|\s*[-−]?\d{1,3}[:：]\S{1,16}\s*-->")
_BESIDE_ARROW = re.compile(r".*\d[:：]\s?\d.*-->|.*-->.*\d[:：]\s?\d")
_A_TIME = r"[-−]?\d+[:：]\d+[:：]\d+[\d.,:;]*"
_ONLY_TIMES = re.compile(rf"\s*{_A_TIME}\s*(?:\D{{0,5}}?{_A_TIME})?\s*$")
_TELLS_TIMES = re.compile(r"[:：]|-->")  # spares the others the long patterns
_LONGEST = 500  # characters of a line of times: longer ones would take the patterns long
_NUMBER = re.compile(r"\s*\d+\s*$")
_NOT_SHOWN = ("NOTE", "STYLE", "REGION")  # blocks of a WebVTT file

_ASS_LINE = re.compile(r"\s*(Format|Dialogue|Comment)\s*:\s*(.*)$", re.IGNORECASE)


@dataclass(frozen=True)
class Cue:
    """What is shown from `start_ms` (included) to `end_ms` (excluded), in milliseconds of the film."""

    start_ms: int
    end_ms: int
    text: str


def cues(text: str) -> list[Cue]:
    """The cues of a file's text, by their start.

    Raises:
        SubtitleError: there is none, or a line cannot be read; it says which.
    """
    lines = text.split("\n")
    is_vtt = next((line for line in lines if line.strip()), "").lstrip().startswith("WEBVTT")
    found = list(_timed(lines, is_vtt)) or list(_ass(lines))
    if not found:
        raise SubtitleError("holds no subtitle in the .srt form")
    return sorted(found, key=lambda cue: (cue.start_ms, cue.end_ms))


def _timed(lines: Sequence[str], is_vtt: bool) -> Iterator[Cue]:
    """Cues that begin with a line of two times and go on to the next such line."""
    times = {number: match for number in range(len(lines)) if (match := _times_of(lines, number))}
    starts = [*times, len(lines)]
    numbered = not is_vtt and bool(times) and _number_above(lines, starts[0]) is not None
    for (number, match), behind in zip(times.items(), starts[1:], strict=True):
        said = list(lines[number + 1 : behind])
        if behind < len(lines):
            said = _without_name(said) if is_vtt else said
            said = _without_number(said, _number_above(lines, number)) if numbered else said
        said = _without_notes(said) if is_vtt else said
        start_ms, end_ms = _span(match, number + 1)
        yield Cue(start_ms, end_ms, plain("\n".join([_text_of(match["rest"]), *said])))


def _times_of(lines: Sequence[str], number: int) -> re.Match[str] | None:
    """The times in a line, or None; raises SubtitleError for those that are not to be understood."""
    line = lines[number]
    if len(line) > _LONGEST or not _TELLS_TIMES.search(line):
        return None
    if (match := _TIMES.match(line)) and (match["arrow"] == "-->" or _is_whole(match)):
        return match
    if (match := _SBV_TIMES.match(line)) and match["f1"] and match["f2"]:
        return match
    before = lines[number - 1] if number else ""
    due = not before.strip() or _NUMBER.match(before)
    if _BEFORE_ARROW.match(line) or (due and (_BESIDE_ARROW.match(line) or _ONLY_TIMES.match(line))):
        raise SubtitleError(f"has times that cannot be read: {line.strip()[:80]!r}", number + 1)
    return None


def _is_whole(match: re.Match[str]) -> bool:
    """Hours or a fraction in both times: with another arrow, 10:00 -> 11:00 may be what is said."""
    return all(match[f"h{which}"] or match[f"f{which}"] or match[f"ms{which}"] for which in (1, 2))


def _number_above(lines: Sequence[str], times: int) -> int | None:
    """The number of the cue whose times are in line `times`, with at most one blank line between them."""
    for above in range(times - 1, max(times - 3, -1), -1):
        if _NUMBER.match(lines[above]):
            return int(lines[above])
        if lines[above].strip():
            return None
    return None


def _without_number(said: list[str], own: int | None) -> list[str]:
    """Take off the number of the next cue: behind a blank line, or the one that follows `own`."""
    last = len(said) - 1
    if last > 0 and not said[last].strip():
        last -= 1
    if last < 0 or not _NUMBER.match(said[last]):
        return said
    apart = last == 0 or not said[last - 1].strip()
    due = own is not None and int(said[last]) == own + 1
    return said[:last] if due or (apart and (last > 0 or len(said) == 1)) else said


def _without_name(said: list[str]) -> list[str]:
    """Take off the next cue's name in WebVTT: the line before its times, behind a blank one."""
    named = len(said) > 1 and said[-1].strip() and not said[-2].strip()
    return said[:-1] if named else said


def _without_notes(said: list[str]) -> list[str]:
    """Take off the blocks of WebVTT that are not shown."""
    kept: list[str] = []
    skip = False
    for number, line in enumerate(said):
        if not line.strip():
            skip = False
        elif number and not said[number - 1].strip() and line.split()[0] in _NOT_SHOWN:
            skip = True
        if not skip:
            kept.append(line)
    return kept


def _text_of(rest: str) -> str:
    """What stands behind the times and is no setting (X1:10, align:start): it is said."""
    words = rest.split()
    return "" if all(_SETTING.fullmatch(word) for word in words) else rest


def _span(match: re.Match[str], line: int) -> tuple[int, int]:
    start_ms, end_ms = _ms(match, 1), _ms(match, 2)
    if end_ms < start_ms:
        raise SubtitleError("has a subtitle that ends before it starts", line)
    return start_ms, end_ms


def _ms(match: re.Match[str], which: int) -> int:
    parts = [match[f"{name}{which}"] or "0" for name in ("h", "m", "s")]
    fraction = match[f"f{which}"] or match[f"ms{which}"] or "0"
    negative = any(part[0] in "-−" for part in (*parts, fraction)) or bool(match[f"sign{which}"])
    hours, minutes, seconds = (int(part.lstrip("-−")) for part in parts)
    digits = fraction.lstrip("-−")
    thousandths = int(digits[:3].ljust(3, "0"))
    ms = (hours * 3600 + minutes * 60 + seconds) * 1000 + thousandths
    return -ms if negative else ms


def _ass(lines: Sequence[str]) -> Iterator[Cue]:
    """The dialogue of an ASS or SSA script, by the columns that its Format line names."""
    columns: list[str] = []
    in_events = False
    for number, line in enumerate(lines, 1):
        if line.strip().startswith("["):
            in_events = line.strip().lower() == "[events]"
        match = _ASS_LINE.match(line)
        if not in_events or not match:
            continue
        kind, value = match[1].lower(), match[2]
        if kind == "format":
            columns = [name.strip().lower() for name in value.split(",")]
        elif kind == "dialogue":
            yield _ass_cue(columns, value, number)


def _ass_cue(columns: Sequence[str], value: str, number: int) -> Cue:
    fields = dict(zip(columns, value.split(",", max(len(columns) - 1, 0)), strict=False))
    times = re.compile(rf"\s*{_START}\s*{_ARROW}\s*{_END}\s*$").match(
        f"{fields.get('start', '')} --> {fields.get('end', '')}"
    )
    if times is None or "text" not in fields:
        raise SubtitleError(f"is a Dialogue line that cannot be read: {value.strip()[:80]!r}", number)
    drawing = re.search(r"\{[^{}]*\\p[1-9]", fields["text"])  # lines and curves, no words
    return Cue(*_span(times, number), "" if drawing else plain_ass(fields["text"]))
