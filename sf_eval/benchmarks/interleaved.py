"""Subtitles between the frames of a video, by time, as the authors of LongVideoBench place them.

A subtitle is shown if one of the frames shown lies strictly within it, where one of less than a second counts
as a second around its middle; and it stands behind every frame that is not after its middle.
Source: `insert_subtitles_into_frames` of the authors' evaluation, as lmms-eval 0.7.3 carries it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.subtitle_json import OPEN_END_MS
from sf_eval.benchmarks.subtitles import cues_of, read_srt
from sf_eval.core.files import sha256

_SHORTEST_S = 1.0


@dataclass(frozen=True)
class InterleavedPrompt:
    """A document's prompt about a video with its subtitles between the frames.

    Attributes:
        subtitles: the file; None where the video really has none.
    """

    document: Document
    subtitles: Path | None

    @property
    def film(self) -> str:
        """The content of the file, and where in it the video begins."""
        digest = "none" if self.subtitles is None else sha256(self.subtitles)
        return f"{digest} {self.document.subtitles_from_s} {self.document.duration_s}"

    @property
    def identity(self) -> str:
        """The document's prompt and what stands between the frames."""
        return f"interleaved {self.film}\n{self.document.prompt}"

    def text(self, times_s: Sequence[float]) -> str:
        """The prompt behind the video: that of the benchmark without subtitles."""
        return self.document.prompt

    def said(self, times_s: Sequence[float]) -> list[tuple[float, str]]:
        """The subtitles of frames shown at `times_s`, each with the time of its middle in the video.

        Raises:
            DataError: the file cannot be read as subtitles.
        """
        if self.subtitles is None:
            return []
        text = read_srt(self.subtitles)
        found = []
        for cue in cues_of(text, source=str(self.subtitles)):
            start = cue.start_ms / 1000 - self.document.subtitles_from_s
            end = cue.end_ms / 1000 - self.document.subtitles_from_s
            if cue.end_ms == OPEN_END_MS:
                end = self._end_s(times_s)
            middle = (start + end) / 2
            if end - start < _SHORTEST_S:
                start, end = middle - _SHORTEST_S / 2, middle + _SHORTEST_S / 2
            if cue.text and any(start < time < end for time in times_s):
                found.append((middle, cue.text))
        return found

    def _end_s(self, times_s: Sequence[float]) -> float:
        """Of the video, where a subtitle does not state its end."""
        return self.document.duration_s if self.document.duration_s is not None else max(times_s, default=0.0)
