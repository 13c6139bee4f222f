"""Subtitles word by word as JSON lines, as Video-MME-v2 has them: {"text", "start_time", "end_time"}."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.subtitle_cues import Cue
from sf_eval.benchmarks.subtitle_text import SubtitleError, plain

_WORD = re.compile(r'\s*\{[^\n]{0,9999}"(?:text|start_time|end_time)"\s*:')


def is_words(text: str) -> bool:
    """Whether a file's first line is a JSON object with a word or its time; no other form begins so."""
    return _WORD.match(text) is not None


def word_cues(text: str) -> list[Cue]:
    """One cue a word, in the order of the file.

    Raises:
        SubtitleError: a line is no such word; it says which.
    """
    lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    return [_cue(line, number) for number, line in lines]


def _cue(line: str, number: int) -> Cue:
    try:
        word = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SubtitleError("is no JSON", number) from error
    if not isinstance(word, Mapping) or not isinstance(word.get("text"), str):
        raise SubtitleError("has no text", number)
    start_ms, end_ms = (_ms(word.get(name), name, number) for name in ("start_time", "end_time"))
    if end_ms < start_ms:
        raise SubtitleError("ends before it starts", number)
    return Cue(start_ms, end_ms, plain(word["text"]))


def _ms(value: Any, name: str, number: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SubtitleError(f"holds no number of seconds as {name}", number)
    return round(value * 1000)
