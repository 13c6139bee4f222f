"""Subtitles: .srt files read with pysubs2, and the lines that are on the screen at given times."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from sf_eval.core.errors import DataError

_MAX_BYTES = 16 << 20  # those of a film have 0.1 MB


def read_srt(path: Path) -> str:
    """The text of an .srt file that `lines_at` can read, or "" of an empty one.

    Far cheaper than parsing it: the first line with two times settles it. Bytes that are not UTF-8 become
    replacement characters.

    Raises:
        DataError: it cannot be read, is too large, or holds no subtitle; names the file.
    """
    from pysubs2.time import TIMESTAMP

    try:
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise DataError(f"{path} has {size} bytes; no subtitles are that long.")
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    if text.strip() and not any(len(TIMESTAMP.findall(line)) == 2 for line in io.StringIO(text)):
        raise DataError(f"{path} holds no subtitle in the .srt form.")
    return text


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


@lru_cache(maxsize=4)  # a video's questions come one after the other
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
