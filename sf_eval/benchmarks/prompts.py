"""The published prompts and the parts they are made of.

The exact strings are recorded in `sf_eval/assets/recorded/protocol/prompts.jsonl`. Chat markup and the
video's placeholder are the model's business (`SlowFastProcessor`), not the prompt's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.subtitles import lines_at, read_srt, words_of
from sf_eval.core.files import sha256

SELECT = "Select the best answer to the following multiple-choice question based on the video."
SELECT_LETTER = SELECT + " Respond with only the letter (A, B, C, or D) of the correct option."
ANSWER_DIRECTLY = "Answer with the option's letter from the given choices directly."
NO_SUBTITLES = "No subtitles available"


def listed(options: Mapping[str, str]) -> str:
    """One line an option: "A. text"."""
    return "\n".join(f"{letter}. {text}" for letter, text in options.items())


def join(*parts: str) -> str:
    return "\n".join(parts)


def with_subtitles(
    document: Document,
    subtitle_text: str | None,
    frame_times_s: Iterable[float],
) -> str:
    """The document's prompt, preceded by what is said at the shown frames.

    The form (heading, one line a subtitle, then the question) is upstream Video-MME's; no published prompt
    with subtitles is recorded, so the question's own form is the recorded one without them.

    Args:
        subtitle_text: the whole .srt file; None or blank where the video has none.
        frame_times_s: seconds of the shown frames, from the beginning of the file.
    """
    times_s = [time + document.subtitles_from_s for time in frame_times_s]
    shown = lines_at(subtitle_text or "", times_s, source=document.subtitles or f"subtitles of {document.id}")
    said = join(*shown) if shown else NO_SUBTITLES
    return join("This video's subtitles are listed below: ", said, document.prompt)


def with_whole_subtitles(document: Document, subtitles: Path | None) -> str:
    """The document's prompt, preceded by all that is said in the film; alone where it says nothing.

    The form is lmms-eval 0.7.3's for Video-MME-v2.

    Raises:
        DataError: the file cannot be read as subtitles.
    """
    said = "" if subtitles is None else words_of(subtitles)
    return (
        join("This video's subtitles are listed below:", said, "", document.prompt)
        if said
        else document.prompt
    )


@dataclass(frozen=True)
class SubtitledPrompt:
    """A document's prompt, preceded by what is said at the shown frames; see `with_subtitles`.

    Attributes:
        subtitles: the .srt file; None where the video really has none.
    """

    document: Document
    subtitles: Path | None

    @property
    def identity(self) -> str:
        """The document's prompt and the content of the file."""
        digest = "none" if self.subtitles is None else sha256(self.subtitles)
        return f"subtitles {digest}\n{self.document.prompt}"

    def text(self, times_s: Sequence[float]) -> str:
        """The prompt for frames shown at `times_s`, in seconds since the beginning of the file.

        Raises:
            DataError: the file cannot be read as subtitles.
        """
        said = "" if self.subtitles is None else read_srt(self.subtitles)
        return with_subtitles(self.document, said, times_s)
