"""A video that others could not read either is told from one that is damaged here; terms are shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sf_eval.benchmarks.catalog import benchmark_names, get_benchmark
from sf_eval.data.known_bad import LIST, known_bad, told
from sf_eval.editions.edition import write_table
from sf_eval.editions.videomme import videomme

KNOWN, OTHER = "YcU9d-RPEog", "aaaaaaaaaaa"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two questions about two files that are no videos; one of them was publicly reported."""
    folder = tmp_path / "videomme"
    (folder / "data").mkdir(parents=True)
    (rows,) = videomme().tables.values()
    write_table(folder / "test-00000-of-00001.parquet", [
        {**row, "videoID": video} for row, video in zip(rows[:2], (KNOWN, OTHER), strict=True)
    ])  # fmt: skip
    for video in (KNOWN, OTHER):
        (folder / "data" / f"{video}.mp4").write_bytes(b"no video" * 100)
    return tmp_path


def test_a_run_tells_them_apart(sf_eval: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    ended = sf_eval(
        "run", "--model", "mini", "--data", data, "--tasks", "videomme", "--output", tmp_path / "out"
    )
    assert ended.code == 1
    assert (
        "Files that cannot be decoded: 1 known bad, 1 not on the list (more likely damaged here)."
        in " ".join(ended.out.split())
    )
    samples = (tmp_path / "out" / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    assert "known bad: decord could not read it either (https://github.com/MME-" in samples[0]
    assert "known bad" not in samples[1]


def test_the_doctor_tells_them_apart(sf_eval: Callable[..., Any], data: Path) -> None:
    ended = sf_eval("doctor", "--data", data, "--tasks", "videomme")
    assert ended.code == 1
    assert "2 of 2 videos are damaged, 1 of them known bad" in " ".join(ended.out.split())
    (known,) = [line for line in ended.out.splitlines() if line.startswith(str(data)) and KNOWN in line]
    (other,) = [line for line in ended.out.splitlines() if line.startswith(str(data)) and OTHER in line]
    assert "known bad: decord" in known
    assert "damaged here" in other


def test_every_entry_of_the_list_has_its_source_and_a_benchmark() -> None:
    folders = {get_benchmark(name).folder for name in benchmark_names()}
    lines = LIST.read_text(encoding="utf-8").splitlines()[1:]
    for line in lines:
        benchmark, file, *_ = line.split(",")
        assert benchmark in folders
        found = known_bad(
            next(b for n in benchmark_names() if (b := get_benchmark(n)).folder == benchmark), file
        )
        assert found is not None
        assert found.source.startswith("https://")
        assert found.sentence.startswith("known bad")
    assert "damaged here" in told(
        get_benchmark("mlvu"), f"{KNOWN}.mp4"
    )  # another benchmark's file of that name


def test_terms_are_listed(sf_eval: Callable[..., Any]) -> None:
    ended = sf_eval("ls", "tasks")
    said = " ".join(ended.out.split())
    assert "terms" in said
    assert "CC-BY-NC-SA-4.0" in said
    assert all(get_benchmark(name).licence for name in benchmark_names())
