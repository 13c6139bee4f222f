"""Subtitles: .srt files and their kin, JSON lists, and the lines that are on the screen at given times."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from sf_eval.benchmarks.subtitle_cues import Cue, cues
from sf_eval.benchmarks.subtitle_json import is_json, json_cues
from sf_eval.benchmarks.subtitle_text import SubtitleError, cleaned, decoded
from sf_eval.benchmarks.subtitle_words import is_words, word_cues
from sf_eval.core.errors import DataError

_MAX_BYTES = 16 << 20  # those of a film have 0.1 MB


def read_srt(path: Path) -> str:
    """The text of a subtitle file that `lines_at` can read, or "" of an empty one.

    UTF-8, or UTF-16 or UTF-32 in either order of bytes.

    Raises:
        DataError: it cannot be read, is too large, in another encoding, holds no subtitle, or a line of it
            is not to be understood; names the file and the line.
    """
    try:
        if (size := path.stat().st_size) > _MAX_BYTES:
            raise DataError(f"{path} has {size} bytes; no subtitles are that long.")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    try:
        text = decoded(data)
        if text.strip():
            _cues(text)
    except SubtitleError as error:
        raise _data_error(str(path), error) from error
    return text


def lines_at(srt: str, times_s: Sequence[float], *, source: str) -> list[str]:
    """The subtitles shown at any of `times_s` (seconds), in the order of the film, each once.

    A subtitle is shown from its start (included) to its end (excluded). Markup is dropped, so a plain file
    and one whose lines are wrapped in `<font ...>` read alike; a subtitle of several lines becomes one.

    Args:
        srt: what `read_srt` gave, or the text of such a file.
        source: the file's name, for the error.

    Raises:
        DataError: `srt` is not empty and cannot be read; names the line.
    """
    if not srt.strip():
        return []
    times_ms = sorted(round(time * 1000) for time in times_s)
    return [
        cue.text
        for cue in cues_of(srt, source=source)
        if cue.text and any(cue.start_ms <= time < cue.end_ms for time in times_ms)
    ]


def cues_of(text: str, *, source: str) -> Sequence[Cue]:
    """All subtitles of a file's text; none of an empty one.

    Args:
        source: the file's name, for the error.

    Raises:
        DataError: as `lines_at`.
    """
    if not text.strip():
        return ()
    try:
        return _cues(text)
    except SubtitleError as error:
        raise _data_error(source, error) from error


def words_of(path: Path) -> str:
    """All that a subtitle file says, in one line.

    Raises:
        DataError: as `read_srt`.
    """
    text = read_srt(path)
    return " ".join(cue.text for cue in _cues(text) if cue.text) if text.strip() else ""


@lru_cache(maxsize=4)  # a video's questions come one after the other
def _cues(text: str) -> tuple[Cue, ...]:
    if is_json(text):
        return tuple(json_cues(text))
    return tuple(word_cues(text) if is_words(text) else cues(cleaned(text)))


def _data_error(source: str, error: SubtitleError) -> DataError:
    where = source if error.line is None else f"{source}, line {error.line}"
    return DataError(f"{where} {error}.")
