"""Unpack archives from a stranger: zip, tar, tar.gz, and tars split into parts.

An archive is unpacked into an empty temporary folder and refused as a whole at the first thing that an honest
archive of videos does not have: a path that leaves the folder, a link, a device, an entry twice, an encrypted
entry, a checksum that does not fit, far more bytes than the archive could honestly hold. The caller moves the
files to their place afterwards (`sf_eval.data.hub.fetch`), so a half-unpacked archive is never in the way.

tarfile and zipfile do part of this themselves. `tarfile.data_filter` is applied where Python has it (3.10.12,
3.11.4, 3.12), but it mends hostile names (it strips a leading slash) where we refuse the archive.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import itertools
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, cast

from sf_eval.core.errors import DataError
from sf_eval.data.hub.archives import Archive, joined

_CHUNK = 1 << 20
_MAX_ENTRIES = 2_000_000
# Videos do not compress and subtitles compress five- to tenfold; a bomb does thousandfold.
_MAX_RATIO = 100
_RATIO_FLOOR = 64 << 20
_REFETCH = "Delete what was downloaded and fetch it again; if it stays so, report it to the dataset's owners."
_HOSTILE = "Nothing of it was kept. Do not unpack this archive by hand; report it to the dataset's owners."

# What zipfile, tarfile and the decompressors raise where bytes are not what they should be (ValueError: also
# names that are not UTF-8).
_UNREADABLE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, struct.error,
    EOFError, ValueError, OverflowError,
)  # fmt: skip

OnBytes = Callable[[int], None]


@dataclass(frozen=True)
class UnpackedFile:
    """One file as it came out of an archive: POSIX path below the target, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass
class _Target:
    """The empty folder that an archive goes to, and how much more may be written there."""

    archive: str
    folder: Path
    budget: int
    on_bytes: OnBytes
    budget_is_disk: bool

    def write(self, source: BinaryIO, name: PurePosixPath, size: int) -> UnpackedFile:
        """Copy one entry of `size` declared bytes; refuses to write one byte more than declared."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        digest, written = hashlib.sha256(), 0
        with path.open("xb") as stream:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > size:
                    raise _damaged(self.archive, f"{name} holds more than the {size} bytes it declares")
                stream.write(chunk)
                digest.update(chunk)
                self.on_bytes(len(chunk))
        if written != size:
            raise _damaged(self.archive, f"{name} ends after {written} of {size} bytes")
        return UnpackedFile(name.as_posix(), size, digest.hexdigest())

    def spend(self, size: int) -> None:
        """Count `size` bytes that are about to be written."""
        self.budget -= size
        if self.budget >= 0:
            return
        if self.budget_is_disk:
            raise DataError(
                f"{self.archive} does not fit on the disk of {self.folder} once it is unpacked.",
                hint="Free some space, or give another --to; then run the same command again.",
            )
        raise _hostile(self.archive, f"it would unpack to over {_MAX_RATIO} times its own size (a zip bomb)")


def unpack(
    archive: Archive,
    parts: Sequence[Path],
    into: Path,
    *,
    free_bytes: int,
    on_bytes: OnBytes = lambda _count: None,
) -> list[UnpackedFile]:
    """Unpack `archive`, which lies in `parts`, into the empty folder `into`.

    Args:
        archive: its kind and name (`sf_eval.data.hub.archives`).
        parts: its file, or the parts of a split tar in their order. A split tar is read through, not joined
            on disk.
        free_bytes: how many bytes may be written at most.
        on_bytes: called with the number of bytes written, often.

    Raises:
        DataError: hostile, damaged, cut off, or more than fits. `into` then holds an unusable part of it.
        OSError: the disk cannot be written.
    """
    size = sum(part.stat().st_size for part in parts)
    honest = max(_RATIO_FLOOR, _MAX_RATIO * size)
    target = _Target(archive.name, into, min(free_bytes, honest), on_bytes, free_bytes < honest)
    try:
        if archive.kind == "zip":
            return _unzip(parts, target)
        return _untar(parts, target)
    except _UNREADABLE as error:
        raise _damaged(archive.name, str(error) or type(error).__name__) from error
    except NotImplementedError as error:
        raise _damaged(archive.name, f"it is packed in a way Python cannot read: {error}") from error
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise _hostile(archive.name, f"two entries want the same place ({error.filename})") from error
    except OSError as error:
        # Decompressors report damage without an error number; EINVAL is a place before the file's start.
        if error.errno not in (None, errno.EINVAL):
            raise
        raise _damaged(archive.name, str(error)) from error


def safe_path(name: str, archive: str) -> PurePosixPath:
    """`name` as a relative path that stays below its folder.

    Raises:
        DataError: absolute, with a drive letter, backslash, "..", a control character, not UTF-8, or empty.
    """
    path = PurePosixPath(name)
    unsafe = (
        path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or (len(name) > 1 and name[1] == ":")
        or any(ord(letter) < 32 or ord(letter) == 127 or 0xD800 <= ord(letter) < 0xE000 for letter in name)
        or not path.parts
    )
    if unsafe:
        raise _hostile(archive, f"its entry {name[:200]!r} would be written outside of the target folder")
    return path


def _unzip(parts: Sequence[Path], target: _Target) -> list[UnpackedFile]:
    stream = joined(parts)
    with stream, zipfile.ZipFile(stream) as opened:
        wanted = _wanted_zip_entries(opened, target)
        files = []
        for name, entry in wanted:
            with opened.open(entry) as source:
                files.append(target.write(cast(BinaryIO, source), name, entry.file_size))
        return files


def _wanted_zip_entries(
    opened: zipfile.ZipFile, target: _Target
) -> list[tuple[PurePosixPath, zipfile.ZipInfo]]:
    """All regular files of a zip, after every entry was checked: nothing is written of a bad archive."""
    entries = opened.infolist()
    _check_count(len(entries), target)
    seen: set[PurePosixPath] = set()
    wanted = []
    for entry in entries:
        if _is_top(entry.orig_filename):
            continue
        # orig_filename: zipfile cuts `filename` at a NUL and turns backslashes into slashes.
        name = safe_path(entry.orig_filename, target.archive)
        mode = entry.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _hostile(target.archive, f"its entry {name} is a link or a device, not a file")
        if entry.flag_bits & 0x1:
            raise _damaged(target.archive, f"its entry {name} is encrypted")
        if entry.is_dir() or _is_litter(name):
            continue
        _check_new(name, seen, target)
        target.spend(entry.file_size)
        wanted.append((name, entry))
    return wanted


def _untar(parts: Sequence[Path], target: _Target) -> list[UnpackedFile]:
    seen: set[PurePosixPath] = set()
    files = []
    mode: Literal["r:", "r:gz"] = "r:gz" if target.archive.endswith("gz") else "r:"
    with joined(parts) as stream, tarfile.open(fileobj=stream, mode=mode) as opened:
        for count in itertools.count(1):
            member = opened.next()
            if member is None:
                break
            opened.members = []  # type: ignore[attr-defined]  # tarfile keeps every header: a gigabyte for millions of frames
            _check_count(count, target)
            if member.isdir() and _is_top(member.name):
                continue
            name = safe_path(member.name, target.archive)
            if not (member.isfile() or member.isdir()):
                raise _hostile(target.archive, f"its entry {name} is a link or a device, not a file")
            if hasattr(tarfile, "data_filter"):
                tarfile.data_filter(member, str(target.folder))
            if member.isdir() or _is_litter(name):
                continue
            _check_new(name, seen, target)
            target.spend(member.size)
            source = opened.extractfile(member)
            assert source is not None  # it is a regular file
            with source:
                files.append(target.write(cast(BinaryIO, source), name, member.size))
        _check_end(opened, target)
    return files


def _check_end(opened: tarfile.TarFile, target: _Target) -> None:
    """A tar ends with a block of zeros; tarfile takes any nonsense, as after a missing part, for its end."""
    assert opened.fileobj is not None
    opened.fileobj.seek(opened.offset)
    block = opened.fileobj.read(tarfile.BLOCKSIZE)
    if len(block) < tarfile.BLOCKSIZE or block.strip(b"\0"):
        raise _damaged(target.archive, "it is cut off, or a part of it is missing or not in its place")


def _check_new(name: PurePosixPath, seen: set[PurePosixPath], target: _Target) -> None:
    if name in seen:
        raise _hostile(target.archive, f"its entry {name} is there twice")
    seen.add(name)


def _check_count(count: int, target: _Target) -> None:
    if count > _MAX_ENTRIES:
        raise _hostile(target.archive, f"it has over {_MAX_ENTRIES} entries")


def _is_top(name: str) -> bool:
    """The folder itself, as `tar -C folder .` writes it."""
    return name.rstrip("/") in (".", "")


def _is_litter(name: PurePosixPath) -> bool:
    """What a Mac adds to the archives it makes."""
    return name.parts[0] == "__MACOSX" or name.name == ".DS_Store"


def _hostile(archive: str, what: str) -> DataError:
    return DataError(f"the archive {archive} is not safe to unpack: {what}.", hint=_HOSTILE)


def _damaged(archive: str, what: str) -> DataError:
    return DataError(f"the archive {archive} cannot be unpacked: {what}.", hint=_REFETCH)
