"""Brings fetched files to their place in a benchmark's folder and notes it in the manifest.

A unit's files are first complete and checked in a temporary folder on the same file system, then renamed one
by one, then the unit is noted as complete. Killed at any moment, the unit counts as not there, and the next
fetch does it again over what is left.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from sf_eval.core import files
from sf_eval.core.errors import DataError, OutputError
from sf_eval.data.hub import manifest as manifests
from sf_eval.data.hub.manifest import DataFile, Manifest, RepositoryFile
from sf_eval.data.hub.plan import Unit
from sf_eval.data.hub.unpack import UnpackedFile, safe_path, unpack

STAGING = ".sf_eval_fetch"
LOCK = ".sf_eval_fetch.lock"
_RESERVED = (STAGING, LOCK, manifests.NAME)


def staged_path(root: Path, source: RepositoryFile) -> Path:
    """Where a file lies between its download and its installation; tells contents of one name apart."""
    return root / STAGING / "files" / f"{source.path.replace('/', '--')}.{source.digest[:16]}"


def install(
    root: Path,
    manifest: Manifest,
    unit: Unit,
    paths: Sequence[Path],
    *,
    keep_archive: bool,
    on_bytes: Callable[[int], None],
) -> None:
    """Put `unit`, which was downloaded to `paths`, in place below `root` and note it in the manifest.

    Raises:
        DataError: the archive is hostile or damaged, or holds what another archive holds differently.
        OSError: the disk cannot be written.
    """
    temporary = root / STAGING / "unpacked"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if unit.archive is None:
        arrived = [_copied(paths[0], temporary, unit)]
    else:
        free = shutil.disk_usage(root).free
        arrived = unpack(unit.archive, paths, temporary, free_bytes=free, on_bytes=on_bytes)
    into = "" if unit.archive is None else unit.into
    placed = [
        DataFile((Path(into) / file.path).as_posix(), file.size, file.sha256, unit.name) for file in arrived
    ]
    _check_places(placed, manifest)
    os.sync()  # the files' bytes reach the disk before the manifest says that they are there
    for file, entry in zip(arrived, placed, strict=True):
        _move(temporary / file.path, root / entry.path)
    if keep_archive and unit.archive is not None:
        placed += _keep(unit, paths, root)
    manifest.add(unit.name, placed)
    manifest.save(root)
    shutil.rmtree(temporary, ignore_errors=True)
    for source in unit.sources:
        staged_path(root, source).unlink(missing_ok=True)


def adopt(root: Path, manifest: Manifest, unit: Unit, siblings: Iterable[Path]) -> bool:
    """Link `unit` from a folder that was fetched at another commit, if its content is the same there.

    A commit often changes a README only; nobody wants to download 285 GB for that.
    """
    for sibling in siblings:
        with suppress(DataError):  # a damaged manifest over there is no concern of this fetch
            other = manifests.load(sibling)
            if other is None or other.dataset != manifest.dataset or not other.units.get(unit.name):
                continue
            known = {(file.path, file.digest) for file in other.repository}
            if all((source.path, source.digest) in known for source in unit.sources):
                placed = [entry for entry in other.files if entry.unit == unit.name]
                if _link_all(sibling, root, placed):
                    manifest.add(unit.name, placed)
                    manifest.save(root)
                    return True
    return False


def _copied(path: Path, folder: Path, unit: Unit) -> UnpackedFile:
    name = safe_path(unit.name, unit.name).as_posix()
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    _link_or_copy(path, target)
    return UnpackedFile(name, unit.size, unit.sources[0].sha256 or files.sha256(target))


def _check_places(placed: list[DataFile], manifest: Manifest) -> None:
    others = {entry.path: entry for entry in manifest.files}
    for entry in placed:
        other = others.get(entry.path)
        if other and other.unit != entry.unit and other.sha256 != entry.sha256:
            raise DataError(
                f"{entry.unit} and {other.unit} hold different files called {entry.path}.",
                hint="Report it to the dataset's owners; nothing of the former was put in place.",
            )
        if entry.path.split("/", 1)[0] in _RESERVED:
            raise DataError(f"{entry.unit} holds {entry.path}, a name that sf-eval keeps for itself.")


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def _keep(unit: Unit, paths: Sequence[Path], root: Path) -> list[DataFile]:
    kept = []
    for source, path in zip(unit.sources, paths, strict=True):
        target = root / safe_path(source.path, unit.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        _link_or_copy(path, target)
        kept.append(DataFile(source.path, source.size, source.sha256 or files.sha256(target), unit.name))
    return kept


def _link_all(source_root: Path, root: Path, entries: list[DataFile]) -> bool:
    sources = [source_root / entry.path for entry in entries]
    if not all(
        path.is_file() and path.stat().st_size == entry.size
        for path, entry in zip(sources, entries, strict=True)
    ):
        return False
    for path, entry in zip(sources, entries, strict=True):
        target = root / entry.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        _link_or_copy(path, target)
    return True


def _link_or_copy(source: Path, target: Path) -> None:
    """A hard link where the file system can, so that nothing is on disk twice."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Turn what the operating system says of the disk of `root` into one line.

    Raises:
        DataError: the disk is full, read-only, not ours to write, or `root` is not a folder.
    """
    try:
        yield
    except (OutputError, OSError) as error:
        cause = error.__cause__ if isinstance(error, OutputError) else error
        if not isinstance(cause, OSError):
            raise
        raise _disk_error(root, cause) from error


def _disk_error(root: Path, error: OSError) -> DataError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DataError(
            f"the disk of {root} is full ({error.strerror}).",
            hint="Free some space and run the same command again: it goes on where this one ended.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return DataError(
            f"cannot write to {root}: {error.strerror}.",
            hint="Make it writable, or give another --to (the default place is set by SF_EVAL_CACHE).",
        )
    place = error.filename or root
    return DataError(f"cannot use {place}: {error.strerror or error}.", hint="Give another --to.")
