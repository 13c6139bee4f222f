"""The README's commands run, and its promises name things that exist."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from zygote import Ended, shared_zygote

from sf_eval.report import readme
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.record import ComparisonRecord

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "mini"
README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [body for found, body in FENCE.findall(README) if found == language]


COMMANDS = [line.removeprefix("$ ") for body in blocks("console") for line in body.splitlines()]
# The stock command is run by tests/cli/test_stock_lmms_eval.py, which also compares its answers.
RUNNABLE = [command for command in COMMANDS if "lmms-eval " not in command]
NEEDS_WEIGHTS = [line for body in blocks("sh") for line in body.splitlines()]


DEMO = RUNNABLE[0]


def run(command: str, folder: Path) -> Ended:
    """The demo as it is typed, with a question a task, for all of them take minutes; the others forked."""
    if command != DEMO:
        program, *words = shlex.split(command)
        assert program == "sf-eval"
        return shared_zygote().run(folder, *words, env={"COLUMNS": "80"})
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", f"{command} --limit 1"],
        cwd=folder,
        env={**os.environ, "PATH": path, "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("command", RUNNABLE)
def test_a_command_of_the_readme_runs(command: str, tmp_path: Path) -> None:
    done = run(command, tmp_path)
    assert done.code == 0, done.err[-2000:]
    assert done.out.strip()
    if command.startswith("sf-eval profile"):
        traced = re.search(r"Counted twice: (\d+) of (\d+) rows", " ".join(done.out.split()))
        assert traced is not None
        assert traced[1] == traced[2], "closed form and trace of the full shapes differ"
    if command == DEMO:
        (record,) = (tmp_path / "results" / "runs").glob("*/comparison.json")
        said = " ".join(done.out.split())
        for sentence in answer(ComparisonRecord.model_validate_json(record.read_text(encoding="utf-8"))):
            assert sentence in said


def test_the_figures_of_the_readme_are_those_of_results() -> None:
    assert readme.made(README, readme.blocks(ROOT)) == README, "run make readme"
    page = (RESULTS / "comparison.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in README[: README.index("| file | holds |")].splitlines() if line[:1] == "|"]
    assert len(shown) > 15
    assert [line for line in shown if line not in page] == []


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The README and the records that it is made of, in the current folder."""
    for path in (readme.README, readme.MINI, readme.DECODING):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_figure_that_is_typed_is_found_and_put_right(copied: Path) -> None:
    readme.main([])
    whole = (copied / "README.md").read_text(encoding="utf-8")
    (copied / "README.md").write_text(whole.replace("98.5", "98.6"), encoding="utf-8")
    assert readme.main(["--check"]) == 1
    assert readme.main([]) == 0
    assert readme.main(["--check"]) == 0
    assert (copied / "README.md").read_text(encoding="utf-8") == whole


def test_throughput_is_in_the_readme_once_it_is_measured(copied: Path) -> None:
    assert readme.main([]) == 0
    assert "Not measured yet: `python benchmarks/throughput.py`" in (copied / "README.md").read_text("utf-8")
    row = {
        "questions_per_video": 3, "order": "video", "questions": 60, "rounds": 5, "loop_per_s": [10, 9, 11],
        "engine_per_s": [75, 70, 80], "times_faster": [7.5, 7.1, 8.04], "equal_answers": 60, "waited": 0.25,
        "loop_ms": {}, "engine_ms": {},
    }  # fmt: skip
    record = {
        "command": "python benchmarks/throughput.py", "model": "mini", "dtype": "float32", "frames": 128,
        "machine": {"processor": "a processor", "cores": 2, "load_average_1_min": 1.9}, "rows": [row],
    }  # fmt: skip
    (copied / readme.THROUGHPUT).write_text(json.dumps(record))
    assert readme.main(["--check"]) == 1
    assert readme.main([]) == 0
    page = (copied / "README.md").read_text("utf-8")
    assert "| 3 | video | 10.00 | 75.00 | 7.5 [7.1, 8.0] | 25% | 60 of 60 |" in page
    assert "mini, 128 frames, float32; a processor, 2 cores, load average 1.9" in page
    assert "Not measured yet" not in page[: page.index("end:throughput")]


def test_markers_and_figures_are_the_same() -> None:
    figures = readme.blocks(ROOT)
    with pytest.raises(ValueError, match="mini-kinds"):
        readme.made(README.replace("<!-- begin:mini-kinds -->", ""), figures)
    with pytest.raises(ValueError, match="no end of mini-cost"):
        readme.made(README.replace("<!-- end:mini-cost -->", ""), figures)


def test_make_demo_runs_the_readmes_first_command() -> None:
    assert f"$(BIN)/{DEMO}\n" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("command", NEEDS_WEIGHTS)
def test_a_command_that_needs_weights_has_only_known_options(command: str) -> None:
    words = command.split("#")[0].split()
    assert words[0] == "sf-eval"
    verbs = [word for word in words[1:3] if not word.startswith("-")]
    done = subprocess.run(
        [str(Path(sys.executable).with_name("sf-eval")), *verbs, "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for option in (word for word in words if word.startswith("--")):
        assert option in done.stdout, f"{option} is no option of sf-eval {' '.join(verbs)}"


def test_every_linked_file_exists() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_published_schemas_are_those_of_the_code() -> None:
    from sf_eval.harness.record import RunRecord, RunState
    from sf_eval.harness.recorded.samples import QuestionRecord, SampleRecord

    for name, model, maker in (
        ("results", RunRecord, "sf_eval.harness.record"),
        ("samples", SampleRecord, "sf_eval.harness.record"),
        ("questions", QuestionRecord, "sf_eval.harness.record"),
        ("run", RunState, "sf_eval.harness.record"),
        ("comparison", ComparisonRecord, "sf_eval.report.comparison.record"),
    ):
        written = json.loads((ROOT / "docs" / "schemas" / f"{name}.schema.json").read_text())
        assert written == model.model_json_schema(), f"run python -m {maker}"
