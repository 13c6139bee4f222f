"""Output directories: one run at a time, resumable, never mistaken for another run's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sf_eval.core.errors import OutputError
from sf_eval.harness import output_dir

PLAN = {"model": "mini", "num_frames": 64, "tasks": ["videomme"]}


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


def test_more_tasks_may_be_added_to_a_named_output(tmp_path: Path) -> None:
    output_dir.write_state(tmp_path / "run", PLAN, complete=True)
    more = {**PLAN, "tasks": ["videomme", "mlvu"]}
    assert output_dir.choose(tmp_path / "run", "mini", more) == tmp_path / "run"


def test_a_strangers_folder_or_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="not empty"):
        output_dir.choose(tmp_path, "mini", PLAN)
    with pytest.raises(OutputError, match="is a file"):
        output_dir.choose(tmp_path / "thesis.txt", "mini", PLAN)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / output_dir.STATE).write_text("{half")
    with pytest.raises(OutputError, match="cannot be read"):
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
