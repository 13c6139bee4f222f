"""Subtitles as JSON lists, as LongVideoBench has them, in both of its forms."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.subtitle_cues import Cue
from sf_eval.benchmarks.subtitle_text import SubtitleError, plain

OPEN_END_MS = 10**12
"""Stands for an end that is not stated: the end of the video."""

_CLOCK = re.compile(r"(?P<h>\d{1,3}):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:[.,]\d{1,9})?)")
_JSON = re.compile(r"\s*\[\s*[\[{\]]")


def is_json(text: str) -> bool:
    """Whether a subtitle file's text is a JSON list; no other form begins so."""
    return _JSON.match(text) is not None


def json_cues(text: str) -> list[Cue]:
    """The cues of a JSON list, in the order of the file.

    An entry is {"timestamp": [start, end], "text"} with seconds and null for an end that is not stated, or
    {"start", "end", "line"} with "HH:MM:SS.mmm".

    Raises:
        SubtitleError: not such a list; it says which entry.
    """
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SubtitleError("is no JSON list of subtitles") from error
    if not entries:
        raise SubtitleError("holds no subtitle")
    return [_cue(entry, number) for number, entry in enumerate(entries)]


def _cue(entry: Any, number: int) -> Cue:
    where = f"has an entry {number}"
    if not isinstance(entry, Mapping):
        raise SubtitleError(f"{where} that is no object")
    if "timestamp" in entry:
        times, said = entry["timestamp"], entry.get("text")
        if not isinstance(times, list) or len(times) != 2:
            raise SubtitleError(f"{where} whose timestamp is not [start, end]")
        start, end = times
        end_ms = OPEN_END_MS if end is None else _ms(end, where)
    else:
        start, said = entry.get("start"), entry.get("line")
        end_ms = _ms(entry.get("end"), where)
    start_ms = _ms(start, where)
    if not isinstance(said, str):
        raise SubtitleError(f"{where} without a text")
    if end_ms < start_ms:
        raise SubtitleError(f"{where} that ends before it starts")
    return Cue(start_ms, end_ms, plain(said))


def _ms(value: Any, where: str) -> int:
    """Milliseconds of seconds or of a time of the clock."""
    if isinstance(value, str) and (match := _CLOCK.fullmatch(value.strip())):
        seconds = int(match["h"]) * 3600 + int(match["m"]) * 60 + float(match["s"].replace(",", "."))
        return round(seconds * 1000)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return round(value * 1000)
    raise SubtitleError(f"{where} with a time that cannot be read: {str(value)[:40]!r}")
