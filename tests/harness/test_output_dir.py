"""Output directories: one run at a time, resumable, never mistaken for another run's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sf_eval.core.errors import OutputError
from sf_eval.harness import output_dir


def tasks(**questions: int) -> dict[str, dict[str, object]]:
    return {name: {"questions": count, "data": f"digest of {name}"} for name, count in questions.items()}


PLAN = {"model": "mini", "num_frames": 64, "tasks": tasks(videomme=9)}


def test_the_same_command_resumes_its_unfinished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = output_dir.choose(None, "mini", PLAN)
    output_dir.write_state(first, PLAN, complete=False)
    assert output_dir.choose(None, "mini", PLAN) == first
    assert output_dir.choose(None, "mini", {**PLAN, "num_frames": 32}) != first
    output_dir.write_state(first, PLAN, complete=True)
    assert output_dir.choose(None, "mini", PLAN) != first


def test_an_output_of_another_run_is_refused_with_the_difference(tmp_path: Path) -> None:
    output_dir.write_state(tmp_path / "run", PLAN, complete=True)
    assert output_dir.choose(tmp_path / "run", "mini", PLAN) == tmp_path / "run"
    with pytest.raises(OutputError, match="num_frames was 64, now 32"):
        output_dir.choose(tmp_path / "run", "mini", {**PLAN, "num_frames": 32})


@pytest.mark.parametrize("grown", [tasks(mlvu=2, videomme=9), tasks(videomme=10), tasks(videomme=9)])
def test_a_named_output_may_grow_by_tasks_and_questions(tmp_path: Path, grown: dict) -> None:
    output_dir.write_state(tmp_path / "run", PLAN, complete=True)
    assert output_dir.choose(tmp_path / "run", "mini", {**PLAN, "tasks": grown}) == tmp_path / "run"


@pytest.mark.parametrize(
    ("smaller", "named"),
    [
        (tasks(mlvu=9), "it has answers to videomme, which this command does not ask"),
        (tasks(videomme=8), "it asks 9 questions of videomme, this command 8"),
        ({"videomme": {"questions": 9, "data": "other"}}, "the annotations of videomme were others"),
    ],
)
def test_results_are_never_replaced_by_less_or_by_those_of_other_data(
    tmp_path: Path, smaller: dict, named: str
) -> None:
    for complete in (True, False):
        output_dir.write_state(tmp_path / "run", PLAN, complete=complete)
        with pytest.raises(OutputError, match=named):
            output_dir.choose(tmp_path / "run", "mini", {**PLAN, "tasks": smaller})


@pytest.mark.parametrize("other", [tasks(videomme=8), tasks(videomme=10), tasks(videomme=9, mlvu=1)])
def test_an_unfinished_run_is_resumed_by_its_own_command_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict
) -> None:
    monkeypatch.chdir(tmp_path)
    first = output_dir.choose(None, "mini", PLAN)
    output_dir.write_state(first, PLAN, complete=False)
    assert output_dir.choose(None, "mini", {**PLAN, "tasks": other}) != first


def test_a_run_of_a_comparison_is_not_dropped(tmp_path: Path) -> None:
    plan = {**PLAN, "runs": {"a": {"num_frames": 4}, "b": {"num_frames": 8}}}
    output_dir.write_state(tmp_path / "run", plan, complete=True)
    more = {**plan, "runs": {**plan["runs"], "c": {"num_frames": 2}}}
    assert output_dir.choose(tmp_path / "run", "x", more) == tmp_path / "run"
    with pytest.raises(OutputError, match="it has a run b, which this command does not ask for"):
        output_dir.choose(tmp_path / "run", "x", {**plan, "runs": {"a": {"num_frames": 4}}})
    changed = {"a": {"num_frames": 4}, "b": {"num_frames": 9}}
    with pytest.raises(OutputError, match="b: num_frames was 8, now 9"):
        output_dir.choose(tmp_path / "run", "x", {**plan, "runs": changed})


def test_a_strangers_folder_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="not empty"):
        output_dir.choose(tmp_path, "mini", PLAN)
    with pytest.raises(OutputError, match="is a file"):
        output_dir.choose(tmp_path / "thesis.txt", "mini", PLAN)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / output_dir.STATE).write_text("{half")
    with pytest.raises(OutputError, match="not written by this version"):
        output_dir.choose(tmp_path / "run", "mini", PLAN)


def test_a_second_process_says_so_and_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from sf_eval.harness import output_dir\n"
        f"with output_dir.locked(Path({str(tmp_path)!r})):\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another sf-eval run"), output_dir.locked(tmp_path):
            pytest.fail("two processes hold one directory")
    finally:
        holder.kill()
        holder.wait()
    with output_dir.locked(tmp_path):
        pass


def test_a_name_never_leaves_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    chosen = output_dir.choose(None, "../../etc/x y", PLAN)
    assert chosen.parent == output_dir.RUNS
