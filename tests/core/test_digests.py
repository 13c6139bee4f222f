"""A large file's SHA-256 is computed once, whoever asks, and anew when the file changes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from sf_eval.core import digests, files
from sf_eval.core.digests import WORTH_REMEMBERING, content_digest


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Files that were read, as another process would: with no memory but the cache."""
    monkeypatch.setenv("SF_EVAL_CACHE", str(tmp_path / "cache"))
    read: list[Path] = []
    sha256 = files.sha256

    def counted(path: Path) -> str:
        read.append(path)
        return sha256(path)

    monkeypatch.setattr(files, "sha256", counted)
    digests._digest.cache_clear()
    return read


def in_another_process(path: Path) -> str:
    digests._digest.cache_clear()
    return content_digest(path)


def large(path: Path, first: bytes = b"a") -> str:
    content = first + bytes(WORTH_REMEMBERING)
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_every_process_after_the_first_reads_it_from_the_cache(tmp_path: Path, reads: list[Path]) -> None:
    digest = large(tmp_path / "weights")
    assert [in_another_process(tmp_path / "weights") for _ in range(3)] == [digest] * 3
    assert len(reads) == 1


def test_a_file_that_changed_is_read_again_though_its_size_is_the_same(
    tmp_path: Path, reads: list[Path]
) -> None:
    path = tmp_path / "weights"
    before = large(path)
    assert in_another_process(path) == before
    status = path.stat()
    after = large(path, b"b")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert in_another_process(path) == after != before
    assert len(reads) == 2


def test_a_damaged_note_is_no_digest(tmp_path: Path, reads: list[Path]) -> None:
    digest = large(tmp_path / "weights")
    in_another_process(tmp_path / "weights")
    (note,) = (tmp_path / "cache" / "digests").glob("*.json")
    note.write_text('{"sha256": "half')
    assert in_another_process(tmp_path / "weights") == digest
    assert len(reads) == 2


def test_without_a_cache_that_can_be_written_it_is_slow_and_not_wrong(
    tmp_path: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("SF_EVAL_CACHE", str(tmp_path / "file"))
    digest = large(tmp_path / "weights")
    assert [in_another_process(tmp_path / "weights") for _ in range(2)] == [digest] * 2
    assert len(reads) == 2
