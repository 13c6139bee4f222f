"""`sf-eval leaderboard`: all runs below directories and the published models, told apart and sorted."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_comparison import at_random, finished

from sf_eval.cli.main import _run
from sf_eval.core.errors import UsageError
from sf_eval.core.paths import published_results_csv
from sf_eval.harness.plan import RunPlan, make_plan
from sf_eval.harness.settings import RunSettings
from sf_eval.report.boards import (
    MEASURED,
    REPORTED,
    board,
    board_csv,
    board_latex,
    board_table,
    published_columns,
)
from sf_eval.report.published import published_models


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs at two depths; the third was stopped."""
    root = tmp_path_factory.mktemp("boards")
    settings = RunSettings(model="mini", tasks="videomme,mlvu", data="mini", output=root / "plan")
    plan: RunPlan = make_plan(settings)
    for name, share, frames in (("a", 0.4, 64), ("deep/b", 0.9, 16), ("c", 0.6, 32)):
        (root / "runs" / name).mkdir(parents=True)
        finished(
            replace(plan, output=root / "runs" / name), at_random(frames, share), frames=frames, name=name[-1]
        )
    results = root / "runs" / "c" / "results.json"
    results.write_text(json.dumps({**json.loads(results.read_text()), "complete": False}))
    return root / "runs"


def test_every_run_is_measured_and_the_published_are_reported(runs: Path) -> None:
    found = board([runs])
    measured = [row for row in found.rows if row.kind == MEASURED]
    assert [Path(row.source).name for row in measured] == ["a", "c", "b"]
    assert all("mini edition" in row.data for row in measured)
    assert [row.complete for row in measured] == [True, False, True]
    reported = {row.model: row for row in found.rows if row.kind == REPORTED}
    llava = next(model for model in published_models() if model.model == "LLaVA-Video 7B")
    assert reported["LLaVA-Video 7B"].cells["videomme"].accuracy == llava.accuracies["videomme"]
    assert reported["LLaVA-Video 7B"].source == llava.source
    assert not any(row.kind == REPORTED for row in board([runs], published=False).rows)


def test_all_columns_of_the_published_table_stand_in_it_behind_what_was_measured(runs: Path) -> None:
    found = board([runs])
    assert list(found.titles)[:2] == ["videomme", "mlvu"]
    assert set(published_columns()) == set(found.titles)
    with published_results_csv().open(newline="") as stream:
        columns = set(next(csv.reader(stream))) - {"model", "frames", "source"}
    assert {column for _, column in published_columns().values()} == columns
    assert len(columns) == 10
    reported = {row.model: row.cells for row in found.rows if row.kind == REPORTED and row.frames == "64"}
    assert {name: cell.accuracy for name, cell in reported["Slow-Fast Video MLLM 7B"].items()} == {
        "videomme": 60.2, "videomme_w_subtitle": 63.0, "mlvu": 67.3, "mvbench": 68.9, "egoschema": 59.2,
        "longvideobench": 56.6, "nextqa": 83.5, "perceptiontest": 70.3, "tempcompass": 68.9,
        "activitynetqa": 54.8,
    }  # fmt: skip
    assert list(board([runs], published=False).titles) == ["videomme", "mlvu"]


@pytest.mark.parametrize("sort", ["videomme", "mlvu"])
def test_it_sorts_by_a_benchmark_best_first_and_absent_last(runs: Path, sort: str) -> None:
    rows = board([runs], sort=sort).rows
    values = [row.cells[sort].accuracy for row in rows if sort in row.cells]
    assert values == sorted(values, reverse=True)
    assert all(sort in row.cells for row in rows[: len(values)])


def test_it_sorts_by_model_and_frames_and_by_nothing_else(runs: Path) -> None:
    assert [row.frames for row in board([runs], sort="frames", published=False).rows] == ["16", "32", "64"]
    names = [row.model.casefold() for row in board([runs], sort="model").rows]
    assert names == sorted(names)
    with pytest.raises(UsageError, match=r"no run has a score on videome\. Did you mean videomme"):
        board([runs], sort="videome")


def test_every_format_tells_measured_from_reported_and_names_mini_and_partial(runs: Path) -> None:
    found = board([runs])
    table = board_table(found)
    assert {row[0] for row in table.rows} == {"measured", "measured, partial", "reported"}
    lines = list(csv.DictReader(board_csv(found).splitlines()))
    assert {line["kind"] for line in lines} == {MEASURED, REPORTED}
    assert all("mini edition" in line["data"] for line in lines if line["kind"] == MEASURED)
    assert {line["complete"] for line in lines if line["source"].endswith("c")} == {"partial"}
    text = board_latex(found)
    body = text[text.index("\\midrule") + 8 : text.index("\\bottomrule")].strip().splitlines()
    assert len(body) == len(found.rows)
    assert all(row.count(" & ") == 2 + len(found.titles) for row in body)
    assert sum("mini edition" in row for row in body) == 3


def test_a_mean_of_some_subtasks_is_marked_in_its_own_row_alone(tmp_path: Path) -> None:
    """Though it comes first: the column bears the benchmark's own title."""
    output = tmp_path / "plan"
    plan = make_plan(RunSettings(model="mini", tasks="mvbench", data="mini", output=output))
    for name, tasks in (("a-some", plan.tasks[:2]), ("b-all", plan.tasks)):
        (tmp_path / "runs" / name).mkdir(parents=True)
        finished(replace(plan, output=tmp_path / "runs" / name, tasks=tasks), at_random(1, 0.5))
    found = board([tmp_path / "runs"], published=False)
    assert found.titles == {"mvbench": "MVBench"}
    table = board_table(found)
    at = table.columns.index("MVBench")
    assert [row[at].endswith(" (2 of 20)") for row in table.rows] == [True, False]
    assert board_latex(found).count(" (2 of 20) ") == 1
    lines = list(csv.DictReader(board_csv(found).splitlines()))
    assert [(line["parts"], line["parts_total"]) for line in lines] == [("2", "20"), ("20", "20")]


def test_the_command_shows_what_it_can_read_and_says_what_not(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["leaderboard", str(runs), "--format", "csv", "--output", str(tmp_path / "b.csv")]) == 0
    assert (tmp_path / "b.csv").read_text() == board_csv(board([runs]))
    copy = Path(shutil.copytree(runs, tmp_path / "runs"))
    (copy / "a" / "results.json").write_text("{}")
    assert _run(["leaderboard", str(copy), "--format", "markdown"]) == 1
    said = capsys.readouterr()
    assert f"left out: {copy / 'a' / 'results.json'} is damaged" in said.err
    assert said.out.count("| measured") == 2
    assert _run(["leaderboard", str(tmp_path / "nowhere")]) == 2
