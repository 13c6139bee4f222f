"""What a run holds in memory of each question: where it lies on the disk, not what it says."""

from __future__ import annotations

import gc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from sf_eval.harness import run
from sf_eval.harness.opened import Opened, OpeningWatcher
from sf_eval.harness.plan import RunPlan, make_plan
from sf_eval.harness.rescoring import read_run
from sf_eval.harness.settings import RunSettings
from sf_eval.report import run_profile

MOST_OBJECTS = 30  # a question; where documents and samples are held it is 90
AT_ONCE = 50


@pytest.fixture(scope="module")
def million() -> ModuleType:
    """The benchmark, whose synthetic questions and stand-in for the engine are taken here."""
    path = Path(__file__).parents[2] / "benchmarks" / "million.py"
    spec = importlib.util.spec_from_file_location("million", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def most_held(million: ModuleType, folder: Path, count: int) -> int:
    """Blocks of Python's memory (about one an object) that a run of `count` questions adds at most, looked at
    with each answer, and once the run is recorded, described and read again."""
    gc.collect()
    before = sys.getallocatedblocks()
    held = []

    class Counting(million.Silent):  # type: ignore[name-defined]
        def result(self, *_: object, **__: object) -> None:
            held.append(sys.getallocatedblocks())

    @contextmanager
    def stubbed(plan: RunPlan, watcher: OpeningWatcher) -> Iterator[Opened]:
        with million.stubbed(plan, watcher) as opened:
            yield replace(opened, at_once=AT_ONCE)

    million.write_rows(folder / "rows", count)
    plan = make_plan(
        RunSettings("mini", "videomme", str(folder / "rows"), output=folder / "run", device="cpu")
    )
    output = run.execute(plan, Counting(), opening=stubbed)
    profile = run_profile.build(output)
    kept = read_run(folder / "run")
    held.append(sys.getallocatedblocks())
    assert profile.questions == len(kept.results) == len(output.samples) == count
    return max(held) - before


def test_a_question_takes_little_memory_from_plan_to_record(million: ModuleType, tmp_path: Path) -> None:
    few, many = 60, 260
    most_held(million, tmp_path / "to fill caches", AT_ONCE)
    grown = most_held(million, tmp_path / "many", many) - most_held(million, tmp_path / "few", few)
    assert grown / (many - few) < MOST_OBJECTS
