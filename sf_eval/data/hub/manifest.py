"""`sf_eval_manifest.json`: what a folder of fetched data holds, and from which commit of which dataset.

It is written before the first byte is fetched and again each time an archive is completely in place, so it
always tells a complete folder from a half-fetched one. Paths are POSIX paths below the folder.

    {"schema": 1, "dataset": "lmms-eval/Video-MME", "commit": "<40 hex>", "revision": "main",
     "repository": [{"path": "subtitle.zip", "size": 1, "sha256": "..." or null, "blob_id": "..."}],
     "units": {"subtitle.zip": true, "videos_chunked_01.zip": false},
     "files": [{"path": "subtitle/a.srt", "size": 1, "sha256": "...", "unit": "subtitle.zip"}]}

`repository` is the Hub's listing at that commit. A unit is what is fetched as one: an archive (all parts of a
split one) or a single file; true means that its files are in place and listed in `files`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from sf_eval.core import files
from sf_eval.core.errors import DataError

NAME = "sf_eval_manifest.json"
SCHEMA = 1


@dataclass(frozen=True)
class RepositoryFile:
    """A file as the Hub lists it: its path, size in bytes, SHA-256 (of LFS files) and git blob id."""

    path: str
    size: int
    sha256: str | None
    blob_id: str

    @property
    def digest(self) -> str:
        """What names its content: SHA-256 where the Hub tells it, else the git blob id."""
        return self.sha256 or self.blob_id


@dataclass(frozen=True)
class DataFile:
    """A file in place: path below the folder, size in bytes, SHA-256, and the unit that it came with."""

    path: str
    size: int
    sha256: str
    unit: str


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a folder of fetched data."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


@dataclass
class Manifest:
    """The manifest as a value; see the module's docstring for the fields."""

    dataset: str
    commit: str
    revision: str
    repository: list[RepositoryFile]
    units: dict[str, bool] = field(default_factory=dict)
    files: list[DataFile] = field(default_factory=list)

    def want(self, units: Iterable[str]) -> None:
        """Note that `units` are wanted here; those that are complete stay so."""
        for unit in units:
            self.units.setdefault(unit, False)

    def is_complete(self, units: Iterable[str]) -> bool:
        return all(self.units.get(unit, False) for unit in units)

    def add(self, unit: str, arrived: Iterable[DataFile]) -> None:
        """Note that `unit` is completely in place."""
        self.files = [entry for entry in self.files if entry.unit != unit] + sorted(
            arrived, key=lambda entry: entry.path
        )
        self.units[unit] = True

    def save(self, root: Path) -> None:
        """Write it into `root`, wholly or not at all.

        Raises:
            OutputError: the folder cannot be written.
        """
        files.write_json(root / NAME, {"schema": SCHEMA, **asdict(self)})


def load(root: Path) -> Manifest | None:
    """The manifest of `root`, or None where it has none.

    Raises:
        DataError: it is damaged, names files outside of `root`, or was written by a newer sf-eval.
    """
    path = root / NAME
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, error) from error
    try:
        return _parse(json.loads(text), path)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(path, error) from error


def verify(root: Path, full: bool = False) -> list[Problem]:
    """What is missing from or wrong with the data in `root`, by its manifest; an empty list is a clean bill.

    Sizes are always compared; with `full`, every file is read and its SHA-256 compared too.

    Raises:
        DataError: `root` has no manifest, or a damaged one.
    """
    manifest = load(root)
    if manifest is None:
        raise DataError(
            f"{root} has no {NAME}: it was not made by `sf-eval data fetch`.",
            hint="Data that was put there by hand can be used, but not checked against a manifest.",
        )
    problems = [
        Problem(unit, "is not completely fetched and unpacked")
        for unit, complete in sorted(manifest.units.items())
        if not complete
    ]
    for entry in manifest.files:
        if what := _wrong_with(root / entry.path, entry, full):
            problems.append(Problem(entry.path, what))
    return problems


def _wrong_with(path: Path, entry: DataFile, full: bool) -> str:
    try:
        size = path.stat().st_size
        if not path.is_file():
            return "is not a file"
        if size != entry.size:
            return f"has {size} bytes instead of {entry.size}"
        if full and files.sha256(path) != entry.sha256:
            return "has other content than was fetched (its SHA-256 differs)"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    return ""


def _parse(value: Any, path: Path) -> Manifest:
    if value["schema"] != SCHEMA:
        raise DataError(
            f"{path} has schema {value['schema']!r}, this sf-eval reads {SCHEMA}.",
            hint="Use the sf-eval version that fetched the data, or fetch it anew to another place.",
        )
    manifest = Manifest(
        dataset=str(value["dataset"]),
        commit=str(value["commit"]),
        revision=str(value["revision"]),
        repository=[RepositoryFile(**entry) for entry in value["repository"]],
        units={str(unit): complete is True for unit, complete in value["units"].items()},
        files=[DataFile(**entry) for entry in value["files"]],
    )
    for entry in manifest.files:
        if PurePosixPath(entry.path).is_absolute() or ".." in PurePosixPath(entry.path).parts:
            raise ValueError(f"it names {entry.path!r}, outside of its folder")
    return manifest


def _damaged(path: Path, error: Exception) -> DataError:
    return DataError(
        f"{path} is damaged: {error}.",
        hint="Delete that file and run `sf-eval data fetch` again; it fetches anew what it cannot vouch for.",
    )
