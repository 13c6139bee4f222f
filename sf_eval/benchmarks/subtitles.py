"""Subtitles: .srt files read with pysubs2, and the lines that are on the screen at given times."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.core.errors import DataError


def lines_at(srt: str, times_s: Sequence[float], *, source: str) -> list[str]:
    """The subtitles shown at any of `times_s` (seconds), in the order of the film, each once.

    A subtitle is shown from its start (included) to its end (excluded). Markup is dropped, so a plain file
    and one whose lines are wrapped in `<font ...>` read alike; a subtitle of several lines becomes one.

    Args:
        source: the file's name, for the error.

    Raises:
        DataError: `srt` is not empty and holds no subtitle that can be read.
    """
    if not srt.strip():
        return []
    times_ms = sorted(round(time * 1000) for time in times_s)
    shown: list[str] = []
    for start_ms, end_ms, text in _events(srt, source):
        if text and any(start_ms <= time < end_ms for time in times_ms):
            shown.append(text)
    return shown


def _events(srt: str, source: str) -> list[tuple[int, int, str]]:
    import pysubs2

    try:
        parsed = pysubs2.SSAFile.from_string(srt.lstrip("\ufeff"), format_="srt")
    except pysubs2.exceptions.Pysubs2Error as error:
        raise DataError(f"{source} cannot be read as .srt: {error}") from error
    if not parsed.events:
        raise DataError(f"{source} holds no subtitle in the .srt form.")
    events = sorted(parsed.events, key=lambda event: (event.start, event.end))
    return [(event.start, event.end, " ".join(event.plaintext.split())) for event in events]
