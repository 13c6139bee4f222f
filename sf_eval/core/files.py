"""Files that are whole or absent: write to a neighbour, fsync, rename."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from sf_eval.core.errors import OutputError

_CHUNK = 1 << 20


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary neighbour of `path` for writing; on success it becomes `path`, durably.

    Raises:
        OutputError: the folder is read-only, the disk is full or the path is not a file.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A temporary neighbour of the folder `path` to be filled; on success it takes its place, durably.

    What was in `path` goes. Whoever calls holds a lock, so that what an earlier process left half-written can
    be removed too.

    Raises:
        OSError: it cannot be written there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_half_written(path.parent, path.name)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent))
    try:
        yield temporary
        _sync_tree(temporary)
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_half_written(folder: Path, name: str = "") -> None:
    """What `replacing` and `replacing_folder` left in `folder` in a process that was killed.

    Args:
        name: of the file or folder that was to be written; without it all files, but no folder: it might be
            a user's own.
    """
    for entry in folder.iterdir():
        if is_half_written(entry, name):
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def is_half_written(entry: Path, name: str = "") -> bool:
    """Whether `entry` is what `remove_half_written` removes."""
    if entry.suffix != ".part" or not entry.name.startswith(f".{name}." if name else "."):
        return False
    return bool(name) or entry.is_file()


def check_writable(path: Path) -> None:
    """Refuse, before the work of hours, a file that could not be written after it; makes its folder.

    Raises:
        OutputError: as `replacing`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise output_error(path, error) from error


def write_bytes(path: Path, data: bytes) -> None:
    with replacing(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Stable, readable JSON. `value` must be plain data; NaN is refused, since it is not JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, or a file's content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        sync_folder(path)
    sync_folder(folder)


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def output_error(path: Path, error: OSError) -> OutputError:
    """The one line for an operating-system error met while writing `path`."""
    hints = {
        errno.ENOSPC: "The disk is full: free some space and run the same command again.",
        errno.EDQUOT: "Your disk quota is used up: free some space and run the same command again.",
        errno.EACCES: "Choose another --output, or make the folder writable.",
        errno.EPERM: "Choose another --output, or make the folder writable.",
        errno.EROFS: "The file system is read-only: choose another --output.",
    }
    return OutputError(
        f"cannot write {path}: {error.strerror or error}.", hint=hints.get(error.errno or 0, "")
    )


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
