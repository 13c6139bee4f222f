"""What a run would find in one video: damage, what it shows otherwise than stated, spans it lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sf_eval.benchmarks.document import Document
from sf_eval.data.checks import BadFile, Status
from sf_eval.video import Clip, ClipPool, VideoError, VideoErrorReason, VideoInfo, VideoNoteKind

# What a run meets only where its own frames are concerned.
_ONLY_WHERE_WANTED = (VideoErrorReason.ends_early, VideoErrorReason.not_decodable)


class FindingKind(str, Enum):
    """What is the matter with a video."""

    damaged = "damaged"
    unread = "unread"
    span = "span"
    note = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found about a video; "warning" where a run answers its questions all the same."""

    kind: FindingKind
    status: Status
    file: BadFile


def findings_of(
    pool: ClipPool,
    clip: Clip,
    checked: VideoInfo | VideoError,
    documents: Sequence[Document],
    *,
    may_miss: bool,
    known: Callable[[str], str] = lambda _: "",
) -> list[Finding]:
    """What a check of a video says, and the spans that `documents` ask about, which are planned.

    Args:
        checked: what `pool.checked` gave for the clip.
        may_miss: more frames were checked than the pool's rule takes: what a run does not look at is only
            warned of.
        known: whether a damaged file is known to be so elsewhere, as words; "" where nobody looks.
    """
    if isinstance(checked, VideoInfo):
        return [
            *_notes(clip.path, checked),
            *_spans(pool, clip.path, documents),
            *_moments(clip.path, documents),
        ]
    reason = f"{checked.reason.value}: {checked.detail}"
    info_of_run = _shown(pool, clip) if may_miss and checked.reason in _ONLY_WHERE_WANTED else None
    if info_of_run is None:
        told = known(clip.path.name) if checked.reason.is_damage else ""
        said = f"{reason}; {told}" if told else reason
        kind = FindingKind.damaged if checked.reason.is_damage else FindingKind.unread
        return [Finding(kind, "failure", BadFile(str(clip.path), said))]
    reason = f"{reason}; a run with these settings does not miss it"
    return [
        Finding(FindingKind.damaged, "warning", BadFile(str(clip.path), reason)),
        *_notes(clip.path, info_of_run),
    ]


def of_videos(findings: Sequence[Finding], videos: int) -> str:
    """How many of `videos` are damaged, not read, shown otherwise than stated, or asked about too far."""
    words = {
        FindingKind.damaged: "damaged",
        FindingKind.unread: "not read here, whether damaged or not",
        FindingKind.span: "shorter than what is asked about",
        FindingKind.note: "shown otherwise than their files state",
    }
    files = {kind: {each.file.path for each in findings if each.kind is kind} for kind in words}
    return ", ".join(
        f"{len(files[kind])} of {videos} videos are {word}" for kind, word in words.items() if files[kind]
    )


def _shown(pool: ClipPool, clip: Clip) -> VideoInfo | None:
    """The facts of a video that a run with the pool's rule shows; None where it does not."""
    try:
        return pool.check(clip, "rule")
    except VideoError:
        return None


def _notes(path: Path, info: VideoInfo) -> list[Finding]:
    return [
        Finding(FindingKind.note, "warning", BadFile(str(path), f"{note.kind.value}: {note.detail}"))
        for note in info.notes
        if note.kind is not VideoNoteKind.in_order  # slower, and shown as it is
    ]


def _spans(pool: ClipPool, path: Path, documents: Sequence[Document]) -> list[Finding]:
    """A warning where a question asks about a part that is not there: a run that cuts would lose it."""
    beyond: list[tuple[str, VideoError]] = []
    for document in documents:
        media = document.media
        if media.start_s is None and media.end_s is None:
            continue
        try:
            pool.plan(Clip(path, media.start_s, media.end_s, media.fps))
        except VideoError as error:
            beyond.append((document.id, error))
    if not beyond:
        return []
    names = [name for name, _ in beyond]
    reason = f"what question {_listed(names)} asks about is not in it: {beyond[0][1].detail}"
    return [Finding(FindingKind.span, "warning", BadFile(str(path), reason))]


def _moments(path: Path, documents: Sequence[Document]) -> list[Finding]:
    """A warning where a question's part ends where it starts: a run that cuts shows one frame of it."""
    parts = [(document.id, document.media) for document in documents]
    names = [name for name, media in parts if media.end_s is not None and media.end_s <= (media.start_s or 0)]
    if not names:
        return []
    reason = f"the part of question {_listed(names)} ends where it starts: --clip cut shows one frame of it"
    return [Finding(FindingKind.span, "warning", BadFile(str(path), reason))]


def _listed(names: Sequence[str]) -> str:
    return names[0] + (f" and {len(names) - 1} others" if len(names) > 1 else "")
