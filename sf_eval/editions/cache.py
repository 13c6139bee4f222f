"""The mini editions on disk: rendered on first use, whole or absent, safe for two processes at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

from filelock import FileLock

from sf_eval.core import paths
from sf_eval.core.errors import DataError, UsageError, nearest
from sf_eval.core.files import replacing_folder
from sf_eval.editions.edition import Edition
from sf_eval.editions.egoschema import egoschema
from sf_eval.editions.index import INDEX
from sf_eval.editions.longvideobench import longvideobench
from sf_eval.editions.lvbench import lvbench
from sf_eval.editions.mlvu import mlvu, mlvu_test
from sf_eval.editions.mvbench import mvbench
from sf_eval.editions.nextqa import nextqa
from sf_eval.editions.open_questions import activitynetqa
from sf_eval.editions.perceptiontest import perceptiontest
from sf_eval.editions.tempcompass import tempcompass
from sf_eval.editions.videomme import videomme
from sf_eval.editions.videomme_v2 import videomme_v2

#: Raised whenever a rendered pixel or a row changes: another version is another folder and another label.
VERSION = 2
LABEL = f"mini edition v{VERSION} (synthetic)"


Progress = Callable[[str, int, int], None]

EDITIONS: dict[str, Callable[[], Edition]] = {
    "videomme": videomme,
    "mlvu": mlvu,
    "mlvu_test": mlvu_test,
    "mvbench": mvbench,
    "egoschema": egoschema,
    "longvideobench": longvideobench,
    "nextqa": nextqa,
    "perceptiontest": perceptiontest,
    "tempcompass": tempcompass,
    "videomme_v2": videomme_v2,
    "lvbench": lvbench,
    "activitynetqa": activitynetqa,
}


def mini_root(editions: Iterable[str], progress: Progress | None = None) -> Path:
    """The folder that holds the wanted editions, rendering those that are not there yet.

    Args:
        editions: names of `EDITIONS` (a benchmark's `folder`).
        progress: called with edition, videos done, videos in all, while something is rendered.

    Returns:
        A folder with one subfolder an edition, each in the layout of the real Hub repository.

    Raises:
        UsageError: there is no such edition.
        DataError: the cache folder cannot be written or the disk is full.
    """
    root = _root()
    for name in dict.fromkeys(editions):
        if name not in EDITIONS:
            raise UsageError(f"there is no mini edition of {name!r}.", hint=nearest(name, EDITIONS))
        if is_complete(root / name):
            continue
        try:
            _render(root, name, progress)
        except OSError as error:
            raise DataError(
                f"cannot write the mini edition of {name} below {root}: {error.strerror or error}.",
                hint="Free some space there, or set SF_EVAL_CACHE to a writable folder.",
            ) from error
    return root


def is_rendered(name: str) -> bool:
    """Whether the mini edition called `name` is on this machine, whole."""
    return is_complete(_root() / name)


def has_edition(name: str) -> bool:
    """Whether there is a mini edition called `name`."""
    return name in EDITIONS


def is_complete(folder: Path) -> bool:
    """Every file that the edition's index lists is there with its size."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return all((folder / path).stat().st_size == size for path, size in index["files"].items())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False


def _root() -> Path:
    return paths.cache_dir() / f"mini-v{VERSION}"


def digest(folder: Path) -> str:
    """SHA-256 over an edition's file names and contents."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _render(root: Path, name: str, progress: Progress | None) -> None:
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{name}.lock"):
        if is_complete(root / name):  # another process was faster
            return
        with replacing_folder(root / name) as folder:
            edition = EDITIONS[name]()
            edition.write(folder, lambda done, total: progress(name, done, total) if progress else None)
            _write_index(folder, edition)


def _write_index(folder: Path, edition: Edition) -> None:
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    value = {
        "label": LABEL,
        "benchmark": edition.name,
        "questions": {table: len(rows) for table, rows in edition.tables.items()},
        "videos": len(edition.videos),
        "kinds": {table: list(kinds) for table, kinds in edition.kinds.items()},
        "files": files,
    }
    (folder / INDEX).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
