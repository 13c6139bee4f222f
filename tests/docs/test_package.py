"""The wheel holds what the package reads; the import contracts and the stranger's first commands hold."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_wheel_contains_tasks_cards_results_and_assets(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for needed in (
        "sf_eval/_packaged/tasks/videomme/sf_videomme.yaml",
        "sf_eval/_packaged/tasks/mlvu/adapter.py",
        "sf_eval/_packaged/model_cards/slowfast-7b-64f.yaml",
        "sf_eval/_packaged/results/published/published_results.csv",
        "sf_eval/assets/mini/model.safetensors",
        "sf_eval/assets/recorded/model/s1t4_f8/record.safetensors",
        "sf_eval/report/profile/page.html.j2",
        "sf_eval/report/view/assets/page.html.j2",
        "sf_eval/report/view/assets/main.js",
        "sf_eval/report/view/assets/view.css",
        "sf_eval/py.typed",
    ):
        assert needed in names, needed

    unpacked = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(unpacked)
    script = (
        "from sf_eval.core import paths; from sf_eval.core.cards import card_names\n"
        "from sf_eval.benchmarks.catalog import benchmark_names\n"
        "print(paths.tasks_dir()); print(card_names()); print(benchmark_names())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONPATH": str(unpacked)}, cwd=tmp_path,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(unpacked) in done.stdout
    assert "slowfast-7b-64f" in done.stdout
    assert "videomme" in done.stdout


@pytest.mark.thorough
def test_the_profiler_needs_neither_lmms_eval_nor_datasets() -> None:
    script = (
        "import sys\n"
        "for name in ('lmms_eval', 'datasets', 'pydantic', 'av', 'decord'): sys.modules[name] = None\n"
        "import sf_eval.profiler, sf_eval.model.loading, sf_eval.video, sf_eval.inference.engine\n"
        "from sf_eval.core.cards import load_card\n"
        "from sf_eval.profiler import compare_question\n"
        "print(compare_question(load_card('slowfast-7b-128f'), 128, 100, 1).model.total_flops)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10**12
