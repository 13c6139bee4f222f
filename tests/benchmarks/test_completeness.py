"""What a benchmark needs beside its videos is there, or nothing is asked."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.errors import DataError
from sf_eval.data.hub.manifest import Manifest, RepositoryFile
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.editions import mini_root

REPOSITORY = ("subtitle.zip", "videos_chunked_01.zip", "videomme/test-00000-of-00001.parquet")


@pytest.fixture(scope="module")
def mini() -> Path:
    return mini_root(["videomme"]) / "videomme"


@pytest.fixture
def data(mini: Path, tmp_path: Path) -> Path:
    """Video-MME's mini edition as a directory source; the videos are links on its own files."""
    shutil.copytree(mini, tmp_path / "data" / "videomme", copy_function=os.link)
    return tmp_path / "data"


def note(data: Path, **units: bool) -> None:
    """Leave a fetch's manifest that says which archives are in place."""
    files = [RepositoryFile(path, 1, None, "0" * 40) for path in REPOSITORY]
    manifest = Manifest("lmms-eval/Video-MME", "1" * 40, "main", files)
    manifest.units = {
        **dict.fromkeys(REPOSITORY, True),
        **{f"{name}.zip": done for name, done in units.items()},
    }
    manifest.save(data / "videomme")


def refused(data: Path, name: str = "videomme_w_subtitle") -> str:
    with pytest.raises(DataError) as caught:
        open_benchmark(get_benchmark(name), parse_source(str(data)))
    return str(caught.value)


def test_an_unfinished_fetch_is_refused_with_the_command_that_completes_it(data: Path) -> None:
    note(data, subtitle=False)
    shutil.rmtree(data / "videomme" / "subtitle")
    said = refused(data)
    assert "subtitle.zip" in said
    assert f"sf-eval data fetch --tasks videomme_w_subtitle --to {data}" in said
    note(data, videos_chunked_01=False)
    assert "videos_chunked_01.zip" in refused(data, "videomme")


def test_a_finished_fetch_and_units_of_other_benchmarks_pass(data: Path) -> None:
    note(data, something_else=False)
    opened = open_benchmark(get_benchmark("videomme_w_subtitle"), parse_source(str(data)))
    assert len(opened.documents) == 120


def test_looking_without_running_refuses_nothing(data: Path) -> None:
    note(data, subtitle=False)
    benchmark = get_benchmark("videomme_w_subtitle")
    assert open_benchmark(benchmark, parse_source(str(data)), fetch_media=False).documents


def test_a_benchmark_without_any_of_its_subtitles_is_refused(data: Path) -> None:
    shutil.rmtree(data / "videomme" / "subtitle")
    assert "not one of 24 videos has subtitles" in refused(data)
    assert open_benchmark(get_benchmark("videomme"), parse_source(str(data))).documents


@pytest.mark.parametrize("content", [b"<html>404 not found</html>", b"\0\1\2", b"1\n00:00:01,000 -->\nHello"])
def test_damaged_subtitles_are_refused_by_name(data: Path, content: bytes) -> None:
    first, second = sorted((data / "videomme" / "subtitle").iterdir())[:2]
    for path in (first, second):
        path.unlink()
        path.write_bytes(content)
    said = refused(data)
    assert str(first) in said or str(second) in said
    assert "1 more" in said


def test_an_empty_subtitle_file_says_nothing_and_is_fine(data: Path) -> None:
    path = next((data / "videomme" / "subtitle").iterdir())
    path.unlink()
    path.write_bytes(b"")
    assert open_benchmark(get_benchmark("videomme_w_subtitle"), parse_source(str(data))).documents
