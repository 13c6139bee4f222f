"""The manifest tells whole data from damaged data."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sf_eval.core.errors import DataError
from sf_eval.data.hub import manifest
from sf_eval.data.hub.manifest import DataFile, Manifest, RepositoryFile


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    entries = []
    for name in ("a", "b"):
        content = name.encode() * 100
        (tmp_path / "data" / f"{name}.mp4").write_bytes(content)
        entries.append(DataFile(f"data/{name}.mp4", 100, hashlib.sha256(content).hexdigest(), "v.zip"))
    value = Manifest("o/d", "0" * 40, "main", [RepositoryFile("v.zip", 9, None, "1" * 40)])
    value.want(["v.zip"])
    value.add("v.zip", entries)
    value.save(tmp_path)
    return tmp_path


def _said(root: Path, *, full: bool = False) -> list[str]:
    return [str(problem) for problem in manifest.verify(root, full=full)]


def test_whole_data_has_no_problems(root: Path) -> None:
    assert _said(root) == []
    assert _said(root, full=True) == []


def test_missing_short_and_changed_files_are_named(root: Path) -> None:
    (root / "data/a.mp4").unlink()
    (root / "data/b.mp4").write_bytes(b"b" * 99)
    assert _said(root) == ["data/a.mp4: is missing", "data/b.mp4: has 99 bytes instead of 100"]


def test_changed_content_is_found_when_files_are_read(root: Path) -> None:
    (root / "data/b.mp4").write_bytes(b"x" * 100)
    assert _said(root) == []
    assert _said(root, full=True) == ["data/b.mp4: has other content than was fetched (its SHA-256 differs)"]


def test_what_was_wanted_and_never_came_is_named(root: Path) -> None:
    value = manifest.load(root)
    assert value is not None
    value.want(["w.zip"])
    value.save(root)
    assert _said(root) == ["w.zip: is not completely fetched and unpacked"]


def test_saved_and_loaded_it_is_the_same(root: Path) -> None:
    value = manifest.load(root)
    assert value is not None
    value.save(root)
    assert manifest.load(root) == value


def test_without_a_manifest_there_is_nothing_to_check(tmp_path: Path) -> None:
    assert manifest.load(tmp_path) is None
    with pytest.raises(DataError, match="not made by"):
        manifest.verify(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"schema": 1', '"schema": 2'),
        ("data/a.mp4", "../a.mp4"),
        ("data/a.mp4", "/etc/passwd"),
        ('"files"', '"fills"'),
        ("}", ""),
        ('"size": 100', '"length": 100'),
    ],
)
def test_a_manifest_that_is_none_is_one_error(root: Path, old: str, new: str) -> None:
    path = root / manifest.NAME
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=manifest.NAME):
        manifest.load(root)
