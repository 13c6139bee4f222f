"""Records that stay on the disk, as those who store them meet them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from sf_eval.core import stored as stored_module
from sf_eval.core.errors import OutputError
from sf_eval.core.stored import stored


def _store(texts: list[str]):
    return stored(iter(texts), str.encode, bytes.decode)


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_records_come_back_in_their_order_each_by_itself() -> None:
    texts = [f"{number} " + "x" * (number * 997) for number in range(12)]
    kept = _store(texts)
    assert list(kept) == texts
    assert kept[7] == texts[7]
    assert list(kept[3:9:2]) == texts[3:9:2]
    assert kept == texts


def test_however_much_is_stored_no_further_file_is_open() -> None:
    _store(["first"])
    before = _open_files()
    kept = [_store([f"{number}", "and on"]) for number in range(300)]
    assert _open_files() == before
    assert [each[0] for each in kept] == [f"{number}" for number in range(300)]


def test_what_is_stored_while_others_are_written_costs_them_nothing() -> None:
    inner = []

    def outer():
        for number in range(5):
            inner.append(_store([f"inner {number}"]))
            yield f"outer {number}"

    kept = stored(outer(), str.encode, bytes.decode)
    assert list(kept) == [f"outer {number}" for number in range(5)]
    assert [each[0] for each in inner] == [f"inner {number}" for number in range(5)]


def test_a_forked_child_writes_beside_its_parent() -> None:
    before = _store(["before"])
    pid = os.fork()
    if pid == 0:
        mine = _store(["child"] * 1000)
        os._exit(0 if (before[0], mine[999]) == ("before", "child") else 1)
    kept = _store(["parent"] * 1000)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert list(kept) == ["parent"] * 1000


def test_a_temporary_folder_that_cannot_be_written_is_one_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = _store(["kept"])
    monkeypatch.setattr(stored_module, "_spill", stored_module._Spill())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(OutputError, match=r"cannot write .*gone") as caught:
        _store(["lost"])
    assert "TMPDIR" in caught.value.hint
    assert kept[0] == "kept"
