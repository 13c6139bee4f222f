"""Which files of a repository belong together as one archive, and reading a split one as if it were whole."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from sf_eval.core.errors import DataError

# videos.tar.part.aa, test_video.tar.gz.part-aa, videos.zip.001: what `split` and its relatives write. Letters
# count only after "part", or videos.tar.xz would be one.
_PART = re.compile(
    r"^(?P<archive>.+\.(?:zip|tar|tar\.gz|tgz))[._-]"
    r"(?:part[._-]?(?P<letters>[a-z]{2,3})|(?:part[._-]?)?(?P<digits>\d{1,3}))$"
)
_KINDS = {".zip": "zip", ".tar": "tar", ".tar.gz": "tar", ".tgz": "tar"}


@dataclass(frozen=True)
class Archive:
    """One archive of a repository.

    Attributes:
        name: repository path without the suffix of parts, e.g. "videos.tar" for "videos.tar.part.aa".
        kind: how it is packed; "tar" also stands for compressed ones.
        parts: repository paths, in the order they are joined; one for an archive that is not split.
    """

    name: str
    kind: Literal["zip", "tar"]
    parts: tuple[str, ...]


def archive_name(path: str) -> str | None:
    """The archive that the repository file `path` is (a part of), or None where it is not an archive."""
    match = _PART.match(path)
    name = match["archive"] if match else path
    return name if _suffix(name) else None


def group_archives(paths: Iterable[str]) -> list[Archive]:
    """The archives that `paths` make up, split ones joined, in the order of their names.

    Raises:
        DataError: a part is missing between others, or the first one. (That the last one is missing shows
            when the archive is unpacked.)
    """
    parts: dict[str, list[str]] = {}
    for path in sorted(paths):
        name = archive_name(path)
        if name is not None:
            parts.setdefault(name, []).append(path)
    return [_archive(name, members) for name, members in sorted(parts.items())]


def _archive(name: str, paths: list[str]) -> Archive:
    kind: Literal["zip", "tar"] = "zip" if _suffix(name) == ".zip" else "tar"
    if name in paths:  # whole; split copies beside it are not needed
        return Archive(name, kind, (name,))
    ordered = sorted(((_part_suffix(path), path) for path in paths), key=lambda item: (len(item[0]), item[0]))
    _check_gapless([suffix for suffix, _ in ordered], name)
    return Archive(name, kind, tuple(path for _, path in ordered))


def _check_gapless(suffixes: list[str], name: str) -> None:
    numbers = [_number(suffix) for suffix in suffixes]
    start = 1 if suffixes[0].isdigit() and numbers[0] == 1 else 0  # 001 and 000 are both in use; aa is 0
    for expected, (number, suffix) in enumerate(zip(numbers, suffixes, strict=True), start=start):
        if number != expected:
            raise DataError(
                f"the split archive {name} has a part missing before its part {suffix!r}.",
                hint="Fetch it again from a complete source; nothing was unpacked.",
            )


def _part_suffix(path: str) -> str:
    match = _PART.match(path)
    assert match is not None  # archive_name saw it
    return match["letters"] or match["digits"]


def _number(suffix: str) -> int:
    if suffix.isdigit():
        return int(suffix)
    value = 0
    for letter in suffix:
        value = value * 26 + ord(letter) - ord("a")
    return value


def _suffix(name: str) -> str | None:
    return next((suffix for suffix in _KINDS if name.endswith(suffix)), None)


def joined(paths: Sequence[Path]) -> BinaryIO:
    """The bytes of `paths` one after another, as one seekable file, without a copy."""
    if len(paths) == 1:
        return paths[0].open("rb")
    return io.BufferedReader(_Joined(paths), buffer_size=1 << 20)


class _Joined(io.RawIOBase):
    """A read-only view of several files as one; only the part that is read is open."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = list(paths)
        self._ends: list[int] = []
        for path in self._paths:
            self._ends.append((self._ends[-1] if self._ends else 0) + path.stat().st_size)
        self._position = 0
        self._index = -1
        self._open: BinaryIO | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._ends[-1]}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        index = next((i for i, end in enumerate(self._ends) if self._position < end), None)
        if index is None:
            return 0
        stream = self._part(index)
        start = self._ends[index - 1] if index else 0
        stream.seek(self._position - start)
        data = stream.read(min(len(view), self._ends[index] - self._position))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)

    def _part(self, index: int) -> BinaryIO:
        if index != self._index or self._open is None:
            if self._open is not None:
                self._open.close()
            self._open = self._paths[index].open("rb")
            self._index = index
        return self._open

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        super().close()
