"""Steps are processes: whatever one does costs itself alone, and what it had written stays."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from benchmarks.gpu.__main__ import LIBRARIES
from benchmarks.gpu.plan import STEPS, TOTAL_S, Step
from benchmarks.gpu.report import StepRecord
from benchmarks.gpu.runner import Runner

STEPS_FOR_TESTS = Path(__file__).parent / "steps_for_tests"


def step(name: str, limit_s: float = 60.0) -> Step:
    return Step(name, f"The {name} step", f"{name}_step", limit_s)


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *steps: Step, total_s: float = 120.0
) -> tuple[dict[str, StepRecord], list[tuple[StepRecord, ...]]]:
    """Records by name, and everything that the watcher was told."""
    root = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{root}:{STEPS_FOR_TESTS}")
    monkeypatch.chdir(folder)
    (folder / "work").mkdir()
    runner = Runner(True, "cpu", folder, folder / "work", folder / "log.txt", total_s)
    told: list[tuple[StepRecord, ...]] = []
    records = runner.run(steps, told.append)
    assert told[-1] == records
    return {record.name: record for record in records}, told


def test_what_a_step_does_costs_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records, _ = run(
        tmp_path,
        monkeypatch,
        step("raising"),
        step("dying"),
        step("incomplete"),
        step("missing"),
        step("good"),
    )
    assert {name: record.status for name, record in records.items()} == {
        "raising": "failed", "dying": "failed", "incomplete": "failed", "missing": "failed", "good": "ok",
    }  # fmt: skip
    assert "the tower is gone" in records["raising"].reason
    assert "SIGABRT" in records["dying"].reason
    assert records["incomplete"].reason == "1 of 2 ways could not be run"
    assert [row.key for row in records["raising"].rows] == ["raising.before"]
    assert records["good"].detail == {"device_name": "A Card 9000"}
    assert records["good"].rows[0].met is False
    assert "Traceback" in (tmp_path / "log.txt").read_text()


@pytest.mark.thorough
def test_a_hanging_step_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, told = run(tmp_path, monkeypatch, step("hanging", 5.0), step("good"))
    assert (records["hanging"].status, records["good"].status) == ("timeout", "ok")
    assert [row.key for row in records["hanging"].rows] == ["hanging.before"]
    running = [record for records in told for record in records if record.status == "running"]
    assert any(row.key == "hanging.before" for record in running for row in record.rows), "told while it ran"
    helper = Path(f"/proc/{(tmp_path / 'helper.pid').read_text()}/stat")
    assert not helper.exists() or helper.read_text().rpartition(")")[2].split()[0] == "Z"


def test_steps_whose_time_is_used_up_are_told_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records, _ = run(tmp_path, monkeypatch, step("hanging", 30.0), step("good"), total_s=2.0)
    assert (records["hanging"].status, records["good"].status) == ("timeout", "not run")


def test_the_limits_of_all_steps_together_are_eight_minutes_at_most() -> None:
    assert sum(step.limit_s for step in STEPS) <= TOTAL_S <= 8 * 60


def test_all_that_is_imported_ahead_and_every_step_exists() -> None:
    """A wrong name would only cost a lent GPU half a minute, in silence."""
    for name in (*LIBRARIES, *(step.module for step in STEPS)):
        assert importlib.util.find_spec(name) is not None, name
