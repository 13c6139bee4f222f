"""The GPU script end to end on a CPU with the mini model: what a machine with a GPU will run, but the GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.gpu.plan import STEPS
from benchmarks.gpu.report import read_report

ROOT = Path(__file__).resolve().parents[2]


def run(out: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "benchmarks" / "gpu" / "run.sh", "--dry", "--out", out, *arguments],
        env={**os.environ, "PYTHON": sys.executable, "OMP_NUM_THREADS": "1", **(env or {})},
        cwd=out.parent, capture_output=True, text=True, check=False, timeout=500,
    )  # fmt: skip


@pytest.mark.thorough
def test_every_step_goes_through_on_a_cpu_with_the_mini_model(tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = run(out)
    assert ended.returncode == 0, ended.stdout + (out / "log.txt").read_text()
    report = read_report(out / "report.json")
    assert [(step.name, step.status) for step in report.steps] == [(step.name, "ok") for step in STEPS]
    assert report.dry
    assert report.finished
    assert report.card
    assert len(report.commit) == 40 or report.commit == "unknown"
    keys = [row.key for row in report.rows]
    assert len(keys) == len(set(keys))
    for needed in (
        "machine.flops", "verify.float32.sdpa", "verify.bfloat16.sdpa", "answers.float32.sdpa.batch4",
        "shape.overhead", "shape.vision.128", "shape.slow_fast.128.ttft", "shape.self_attention.128.tpot",
        "graph.plain.tpot", "graph.graph.ratio", "limit.self_attention", "memory.alike", "memory.halved",
        "profile.mini.8.end", "profile.mini.8.ttft", "engine.float32", "throughput.memory.times",
        "throughput.clips.engine", "throughput.forecast", "memory.forecast",
    ):  # fmt: skip
        assert needed in keys, needed
    for key in (
        "verify.float32.sdpa", "answers.float32.sdpa.batch4",
        "memory.alike", "memory.halved", "engine.float32",
    ):  # fmt: skip
        row = report.row(key)
        assert row is not None
        assert row.met is True, row
    limit = report.row("limit.self_attention")
    assert limit is not None
    assert limit.value == 40, "the emulated limit"
    graph = report.row("graph.graph.ratio")
    assert graph is not None
    assert graph.value is None, "no CUDA graph on a CPU, and no figure made up for one"
    table = (out / "report.md").read_text()
    assert table in ended.stdout
    assert all(row.what in table for row in report.rows)
    assert json.loads((out / "profile.json").read_text())["measured"]["environment"]["weights"] == "random"
    assert len(list(out.iterdir())) <= 8, "a lent machine gives back eight files"
    assert not (ROOT / "results" / "gpu").exists() or not any(
        read_report(path).dry for path in (ROOT / "results" / "gpu").glob("*/report.json")
    )


@pytest.mark.thorough
def test_a_broken_step_costs_itself_alone(tmp_path: Path) -> None:
    """A module that only one of these steps needs is missing; the other one runs after it."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import sys\nsys.modules['sf_eval.editions.videomme'] = None\n", encoding="utf-8"
    )
    out = tmp_path / "out"
    ended = run(out, "--no-preload", "--steps", "answers,machine", env={"PYTHONPATH": str(site)})
    assert ended.returncode == 1
    report = read_report(out / "report.json")
    assert [(step.name, step.status) for step in report.steps] == [("answers", "failed"), ("machine", "ok")]
    assert "sf_eval.editions.videomme" in report.steps[0].reason
    assert report.row("machine.flops") is not None
    assert "the step itself: failed" in ended.stdout


@pytest.mark.parametrize("arguments", [("--steps", "vertify"), ("--no-such-flag",)])
def test_a_mistake_in_the_command_is_one_line_and_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    ended = run(tmp_path / "out", *arguments)
    assert ended.returncode == 2
    assert "error:" in ended.stderr
