"""Finds a question's video below its media root, and nothing outside it.

Paths come from dataset rows, so they are hostile until shown otherwise: they must be plain relative paths.
A folder that a user gave is the user's own, and so are the links in it: they are followed, wherever they lead
(another disk, the blobs of the Hub's cache). In a folder that sf-eval filled itself no link belongs: there,
what a path leads to must lie below the media root. No archive brings a link (`sf_eval.data.hub.unpack`).
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.core.errors import DataError

_MAX_PATH = 1024
_LINK_HINT = (
    "sf-eval put no link there: remove it and fetch again. "
    "In a folder of your own (--data DIR) links are followed."
)
# Windows opens these wherever they stand; refused everywhere, so that a dataset means the same everywhere.
_DEVICE_NAMES = frozenset(
    {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in "123456789")}
)


class MissingMediaError(DataError):
    """A question's video is at none of the places where it may be."""


class UnsafePathError(DataError):
    """A dataset row names a path that leaves its media root, or is no plain relative path."""


@dataclass(frozen=True)
class MissingFile:
    """One video that is not there, and the questions that need it."""

    video_id: str
    looked_at: tuple[Path, ...]
    document_ids: tuple[str, ...]


def resolve(root: Path, media: MediaRef, *, what: str, follow_links: bool = False) -> Path:
    """The file (or folder of frames) that `media` means below `root`: the first candidate that exists.

    Where none exists by its exact name, one whose name differs only in Unicode's normal form is meant: some
    file systems and archivers spell "é" with one character, some with two.

    Args:
        root: the media root; may be a symbolic link.
        what: whose video it is, for the message, e.g. "videomme question 001-1".
        follow_links: `root` is the user's own: links in it may lead out of it.

    Raises:
        UnsafePathError: a candidate is absolute, has `..`, a backslash, a drive, a control character or a
            device name, is not a plain file, or leads out of `root` through a link that is not followed; or
            two files differ from it, and from each other, only in Unicode's normal form.
        MissingMediaError: none of the candidates exists; the message names every place.
    """
    for candidate in media.candidates:
        if reason := unsafe_reason(candidate):
            raise UnsafePathError(
                f"{what}: the media path {_shown(candidate)} {reason}.",
                hint="The annotation file is damaged or hostile; nothing was read.",
            )
    for candidate in media.candidates:
        if found := _existing(root / candidate, root, media.is_frames_folder, what, follow_links):
            return found
    for candidate in media.candidates:
        path = _spelled_otherwise(root, candidate, what)
        if path and (found := _existing(path, root, media.is_frames_folder, what, follow_links)):
            return found
    places = places_of(root, media)
    kind = "folder of frames" if media.is_frames_folder else "video"
    raise MissingMediaError(
        f"{what}: the {kind} {media.candidates[0]} is missing; looked for "
        + ", ".join(str(place) for place in places)
        + ".",
        hint="Unpack the benchmark's media there (sf-eval data fetch does it), or try --data mini.",
    )


def unsafe_reason(path: str) -> str | None:
    """Why a relative POSIX path from a dataset row must not be used, or None where it is plain."""
    if not path:
        return "is empty"
    if len(path) > _MAX_PATH:
        return f"is longer than {_MAX_PATH} characters"
    if any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in path):
        return "has a control character"
    if any(0xD800 <= ord(character) < 0xE000 for character in path):
        return "is not text that a file name can hold"
    if "\\" in path:
        return "has a backslash"
    if path.startswith(("/", "~")):
        return "is not relative"
    parts = path.split("/")
    if ".." in parts:
        return "has '..'"
    if any(part in ("", ".") for part in parts):
        return "has an empty part"
    if ":" in parts[0]:
        return "names a drive or a protocol"
    if any(part.split(".")[0].lower() in _DEVICE_NAMES for part in parts):
        return "is the name of a device"
    return None


def places_of(root: Path, media: MediaRef) -> tuple[Path, ...]:
    """Every place where the video is looked for, in order."""
    return tuple(root / candidate for candidate in media.candidates)


def missing_media(
    root: Path, documents: Iterable[Document], *, name: str, follow_links: bool = False
) -> list[MissingFile]:
    """The videos of `documents` that are not below `root`; each video is looked for once.

    Raises:
        UnsafePathError: a row names a path that it must not.
    """
    looked_for: set[MediaRef] = set()
    missing: dict[MediaRef, list[Document]] = {}
    for document in documents:
        media = _whole(document.media)
        if media not in looked_for:
            looked_for.add(media)
            try:
                resolve(root, media, what=f"{name} question {document.id}", follow_links=follow_links)
            except MissingMediaError:
                missing[media] = []
        if media in missing:
            missing[media].append(document)
    return [
        MissingFile(users[0].video_id, places_of(root, media), tuple(document.id for document in users))
        for media, users in missing.items()
    ]


def count_present(root: Path, documents: Iterable[Document]) -> int:
    """How many videos of `documents` are below the user's folder `root`."""
    present = 0
    for media in {_whole(document.media) for document in documents}:
        with suppress(DataError):
            resolve(root, media, what="", follow_links=True)
            present += 1
    return present


def _whole(media: MediaRef) -> MediaRef:
    """The video, whatever part of it is asked about."""
    return MediaRef(media.candidates, is_frames_folder=media.is_frames_folder)


def _existing(path: Path, root: Path, is_folder: bool, what: str, follow_links: bool) -> Path | None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # a link that goes round in circles, no permission, a name too long
        raise UnsafePathError(f"{what}: cannot look at {path}: {error.strerror or error}.") from error
    real, real_root = Path(os.path.realpath(path)), Path(os.path.realpath(root))
    if not follow_links and real_root not in real.parents:
        raise UnsafePathError(f"{what}: {path} leads out of the media folder, to {real}.", hint=_LINK_HINT)
    if is_folder and stat.S_ISDIR(mode):
        return path
    if not is_folder and stat.S_ISREG(mode):
        return path
    kind = "a folder" if is_folder else "a plain file"
    raise UnsafePathError(f"{what}: {path} is not {kind}.", hint="Look at what was unpacked there.")


def _spelled_otherwise(root: Path, candidate: str, what: str) -> Path | None:
    """What is there under a name that equals `candidate` in Unicode's normal form C, if anything is."""
    if candidate.isascii():
        return None
    found = [root]
    for part in candidate.split("/"):
        wanted = unicodedata.normalize("NFC", part)
        found = [
            folder / name
            for folder in found
            for name in ([part] if part.isascii() else _names_in(folder))
            if unicodedata.normalize("NFC", name) == wanted
        ]
    there = sorted(path for path in found if path.exists())
    if len(there) > 1:
        raise UnsafePathError(
            f"{what}: {len(there)} files are called {root / candidate} but for how their accents are spelled "
            "(Unicode's normal form), and the row spells them in a third way.",
            hint="Keep one of them.",
        )
    return there[0] if there else None


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - names alone, of thousands of files
    except OSError:  # not there, or no folder
        return []


def _shown(path: str) -> str:
    """A path from a row, made safe to print: escaped and cut."""
    text = ascii(path)
    return text if len(text) <= 120 else f"{text[:117]}..."
