"""Hostile annotation files through the command line: one line before any weights, and nothing left behind."""

from __future__ import annotations

import copy
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from zygote import Ended, Zygote, shared_zygote

from sf_eval.editions import EDITIONS, mini_root

ROWS = Path(__file__).parents[1] / "benchmarks" / "hostile" / "rows.json"
HOSTILE: list[dict[str, Any]] = json.loads(ROWS.read_text(encoding="utf-8"))
# Where a directory source looks for each benchmark's rows as JSON, and the mini edition's own table of them.
TABLES = {
    "videomme": ("videomme.json", "videomme/test-00000-of-00001.parquet"),
    "mlvu": ("mlvu.json", "mlvu/test-00000-of-00001.parquet"),
    "egoschema": ("GENERATION.json", "GENERATION/test-00000-of-00001.parquet"),
    "egoschema_subset": ("Subset.json", "Subset/test-00000-of-00001.parquet"),
    "longvideobench": ("validation.json", "validation-00000-of-00001.parquet"),
}
HOSTILE_ROW = 1
# The first case of each benchmark; tests/benchmarks/test_data.py has them all, through the same reader.
_FIRST = {case["benchmark"]: case["name"] for case in reversed(HOSTILE)}


@pytest.fixture(scope="module")
def zygote() -> Zygote:
    return shared_zygote()


def refused(zygote: Zygote, folder: Path, task: str, *args: str) -> Ended:
    """Run on the data in `folder`; the command must have said one line and done nothing else."""
    before = sorted(path for path in folder.rglob("*") if ".streams" not in path.parts)
    ended = zygote.run(
        folder, "run", "--model", "mini", "--data", "data", "--tasks", task, "--output", "run", *args
    )
    assert ended.code == 2, ended
    assert ended.complaint.startswith("sf-eval: error: ")
    assert ended.complaint.isprintable(), "control characters reach the terminal"
    assert len(ended.complaint) < 1000
    assert "Loading" not in ended.out
    assert "Output:" not in ended.out
    assert sorted(path for path in folder.rglob("*") if ".streams" not in path.parts) == before
    return ended


def made_hostile(row: dict[str, Any], case: dict[str, Any]) -> dict[str, Any]:
    row = {**row, **case.get("set", {})}
    for column in case.get("drop", ()):
        del row[column]
    if "long" in case:
        column, length = case["long"]
        row[column] = "x" * length
    if "repeat" in case:
        column, item, count = case["repeat"]
        row[column] = [item] * count
    return row


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(
            case,
            id=case["name"],
            marks=() if case["name"] in _FIRST.values() else pytest.mark.thorough,
        )
        for case in HOSTILE
    ],
)
def test_a_hostile_row_is_one_line_that_names_row_and_column(
    zygote: Zygote, tmp_path: Path, case: dict[str, Any]
) -> None:
    task = case["benchmark"]
    subtask = task.removeprefix("mvbench_")
    if subtask != task:
        file, table, edition = f"{subtask}.json", f"json/{subtask}.json", "mvbench"
    else:
        (file, table), edition = TABLES[task], task.removesuffix("_subset")
    rows = copy.deepcopy(list(EDITIONS[edition]().tables[table]))
    rows[HOSTILE_ROW] = made_hostile(rows[HOSTILE_ROW], case)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file).write_text(json.dumps(rows), encoding="utf-8")
    complaint = refused(zygote, tmp_path, task, "--skip-missing").complaint
    assert f"row {HOSTILE_ROW}" in complaint
    assert file in complaint
    assert all(word in complaint for word in case["says"])


# --- what is no video file, whatever leads to it ---------------------------------------------------------


def fifo(video: Path, outside: Path) -> None:
    os.mkfifo(video)


def link_to_a_fifo(video: Path, outside: Path) -> None:
    os.mkfifo(outside / "fifo")
    video.symlink_to(outside / "fifo")


def link_to_a_device(video: Path, outside: Path) -> None:
    video.symlink_to("/dev/zero")


def link_to_a_folder(video: Path, outside: Path) -> None:
    video.symlink_to(outside)


def link_to_itself(video: Path, outside: Path) -> None:
    video.symlink_to(video)


@pytest.mark.parametrize("option", [(), ("--skip-missing",)], ids=["", "--skip-missing"])
@pytest.mark.parametrize("make", [fifo, link_to_a_fifo, link_to_a_device, link_to_a_folder, link_to_itself])
def test_what_is_no_video_file_is_refused_by_name(
    zygote: Zygote, tmp_path: Path, make: Callable[[Path, Path], None], option: tuple[str, ...]
) -> None:
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    (tmp_path / "outside").mkdir()
    video = tmp_path / "data" / "videomme" / "data" / "mini-001.mp4"
    video.unlink()
    make(video, tmp_path / "outside")
    assert str(video) in refused(zygote, tmp_path, "videomme", *option).complaint


def test_videos_that_the_user_linked_from_another_disk_are_shown(zygote: Zygote, tmp_path: Path) -> None:
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    shutil.move(tmp_path / "data" / "videomme" / "data", tmp_path / "disk2")
    (tmp_path / "data" / "videomme" / "data").symlink_to("../../disk2")
    ended = zygote.run(
        tmp_path, "run", "--model", "mini", "--data", "data", "--tasks", "videomme", "--limit", "1",
        "--num-frames", "4", "--output", "run",
    )  # fmt: skip
    assert ended.code == 0, ended
    (sample,) = map(json.loads, (tmp_path / "run" / "samples.jsonl").read_text().splitlines())
    assert sample["num_frames"] == 4
    assert sample["outcome"] in ("correct", "wrong", "no_answer")


def test_hostile_parquet_rows_are_refused_too(zygote: Zygote, tmp_path: Path) -> None:
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    table = tmp_path / "data" / "videomme" / "videomme" / "test-00000-of-00001.parquet"
    rows = pq.read_table(table).to_pylist()
    rows[2]["videoID"] = "../../secret"
    pq.write_table(pa.Table.from_pylist(rows), table)
    complaint = refused(zygote, tmp_path, "videomme").complaint
    assert "row 2" in complaint
    assert "'videoID'" in complaint


@pytest.mark.parametrize(
    "content", [b"", b"PAR1garbagePAR1", b"[1, 2]", b'{"rows": []}', b"[" * 100_000, b"\xff\xfe[]", b"[]"]
)
def test_a_file_that_holds_no_rows_is_one_line(zygote: Zygote, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data").mkdir()
    name = "videomme.json" if not content.startswith(b"PAR1") else "videomme.parquet"
    folder = tmp_path / "data" / ("videomme" if name.endswith("parquet") else "")
    folder.mkdir(exist_ok=True)
    path = folder / ("test-00000-of-00001.parquet" if name.endswith("parquet") else name)
    path.write_bytes(content)
    assert str(path) in refused(zygote, tmp_path, "videomme").complaint


@pytest.mark.parametrize("data", ["nowhere", "file.json"])
def test_no_data_there_is_one_line(zygote: Zygote, tmp_path: Path, data: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "file.json").write_text("[]")
    ended = zygote.run(tmp_path, "run", "--model", "mini", "--data", data, "--tasks", "videomme")
    assert ended.code == 2
    assert data in ended.complaint
    assert not (tmp_path / "results").exists()
