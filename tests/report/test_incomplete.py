"""What was not answered is in no count: means that lack a part, submissions, points of the same questions.

The rows are the mini editions' and their videos empty files: functions answer instead of a model.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from sf_eval.benchmarks.catalog import members_of
from sf_eval.benchmarks.document import Document
from sf_eval.core.errors import DataError
from sf_eval.core.tables import print_table
from sf_eval.editions import EDITIONS
from sf_eval.editions.edition import write_table
from sf_eval.harness.finished import FinishedRun
from sf_eval.harness.plan import RunPlan, TaskPlan, make_plan
from sf_eval.harness.record import GroupRecord, RunRecord
from sf_eval.harness.recording import RESULTS, SAMPLES
from sf_eval.harness.settings import RunSettings
from sf_eval.report import leaderboard, pareto
from sf_eval.report.comparison import tables as comparison_tables
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.export.exported import Exported

from .test_comparison import Player, finished, right, wrong

POSE = "mvbench_fine_grained_pose"  # its clips (NTU RGB+D) are in no repository
SUBTASKS = members_of("mvbench")


def write_edition(folder: Path, name: str) -> None:
    """A mini edition with empty videos, and without what says that it is one."""
    edition = EDITIONS[name]()
    for path in edition.videos:
        file = folder / name / (path if Path(path).suffix else f"{path}/00001.jpg")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    for path, rows in edition.tables.items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        write_table(folder / name / path, rows)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("mvbench", "mlvu", "egoschema"):
        write_edition(folder, name)
    return folder


def planned(data: Path, tasks: str, output: Path) -> RunPlan:
    output.mkdir(parents=True, exist_ok=True)
    return make_plan(RunSettings(model="mini", tasks=tasks, data=str(data), output=output))


@pytest.fixture(scope="module")
def mvbench(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    return planned(data, "mvbench", tmp_path_factory.mktemp("mvbench"))


@pytest.fixture(scope="module")
def mlvu(data: Path, tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    return planned(data, "mlvu", tmp_path_factory.mktemp("mlvu"))


def without_pose(task: TaskPlan, document: Document) -> str | None:
    return None if task.benchmark.name == POSE else right(task, document)


def without_counting(task: TaskPlan, document: Document) -> str | None:
    return None if document.categories["task_type"] == "count" else right(task, document)


def on_terminal(record: RunRecord) -> str:
    console = Console(file=io.StringIO(), width=300)
    for table in (leaderboard.measured_table(record), leaderboard.reported_table(record)):
        if table is not None:
            print_table(console, table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def csv_lines(record: RunRecord, name: str) -> dict[str, list[dict[str, str]]]:
    """The lines of a benchmark in leaderboard.csv by their kind: measured, reported."""
    lines: dict[str, list[dict[str, str]]] = {"measured": [], "reported": []}
    for line in csv.DictReader(io.StringIO(leaderboard.csv_text(record))):
        if line["benchmark"] == name:
            lines[line["kind"]].append(line)
    return lines


def the_group(record: RunRecord) -> GroupRecord:
    (group,) = record.groups
    return group


# --- MVBench -----------------------------------------------------------------------------------------------


def test_a_whole_mean_is_complete_and_stands_beside_published_ones(mvbench: RunPlan) -> None:
    record = finished(mvbench, right).record
    group = the_group(record)
    assert (group.complete, group.tasks, group.unanswered) == (True, list(SUBTASKS), [])
    assert (group.score.parts, group.score.parts_total) == (20, 20)
    for text in (leaderboard.markdown(record), on_terminal(record)):
        assert "MVBench: mean of 20 of 20 subtasks." in text
        assert "incomplete" not in text
        assert "Reported: published accuracies" in text
    assert csv_lines(record, "mvbench")["reported"]


def test_a_subtask_without_an_answer_is_not_in_the_mean_nor_in_its_count(mvbench: RunPlan) -> None:
    record = finished(mvbench, without_pose).record
    group = the_group(record)
    assert not group.complete
    assert group.tasks == [name for name in SUBTASKS if name != POSE]
    assert group.unanswered == [POSE]
    assert (group.score.parts, group.score.parts_total, group.score.accuracy) == (19, 20, 100)
    for text in (leaderboard.markdown(record), on_terminal(record)):
        assert (
            "MVBench (19 of 20 subtasks, without fine_grained_pose): "
            "mean of 19 of 20 subtasks (without fine_grained_pose)."
        ) in text
        assert "no question of MVBench fine grained pose has a judged answer" in text
        assert "20 of 20" not in text
        assert "Reported" not in text, "a mean of 19 stands beside no published mean of 20"
    lines = csv_lines(record, "mvbench")
    assert [(line["parts"], line["parts_total"]) for line in lines["measured"]] == [("19", "20")]
    assert lines["reported"] == []


def test_mvbench_without_the_clips_that_nobody_can_fetch_is_named_so(data: Path, tmp_path: Path) -> None:
    asked = planned(data, f"mvbench,-{POSE}", tmp_path / "run")
    assert [task.benchmark.name for task in asked.tasks] == [name for name in SUBTASKS if name != POSE]
    output = finished(asked, right)
    named = "19 of 20 subtasks (without fine_grained_pose)"
    for text in (leaderboard.markdown(output.record), on_terminal(output.record)):
        assert f"MVBench is a mean of {named}: not comparable with a mean of all." in text
        assert "MVBench (19 of 20 subtasks, without fine_grained_pose)" in text
        assert "Reported" not in text
    comparison = build({"one": output, "two": finished(asked, wrong)}, resamples=100)
    (column,) = comparison.benchmarks
    assert column.title == "MVBench (19 of 20 subtasks, without fine_grained_pose)"
    assert column.remark == f"mean of {named}"
    assert f"MVBench: {named}" in Exported(FinishedRun(output.output, 0)).gaps()


def test_where_a_clip_of_that_subtask_is_missing_the_way_out_is_told(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "mvbench", tmp_path / "data" / "mvbench")
    shutil.rmtree(tmp_path / "data" / "mvbench" / "nturgbd")
    with pytest.raises(DataError) as caught:
        planned(tmp_path / "data", "mvbench", tmp_path / "run")
    assert caught.value.hint is not None
    assert "--tasks mvbench,-mvbench_fine_grained_pose" in caught.value.hint


def test_one_answer_of_a_subtask_is_enough_for_the_mean_and_the_coverage_says_the_rest(
    mvbench: RunPlan,
) -> None:
    def almost_without_pose(task: TaskPlan, document: Document) -> str | None:
        return right(task, document) if document.index == 0 else without_pose(task, document)

    group = the_group(finished(mvbench, almost_without_pose).record)
    assert (group.complete, group.score.parts) == (True, 20)
    assert group.score.coverage < 100


def test_a_mean_of_nothing_is_made_of_nothing(mvbench: RunPlan) -> None:
    record = finished(mvbench, lambda *_: None).record
    group = the_group(record)
    assert (group.complete, group.tasks, group.score.parts, group.score.accuracy) == (False, [], 0, None)
    assert "mean of 0 of 20 subtasks" in leaderboard.markdown(record)


def test_a_published_mean_counts_the_subtasks_that_it_takes_in(mvbench: RunPlan) -> None:
    """The published average drops empty answers: here all of one subtask's."""

    def silent_about_pose(task: TaskPlan, document: Document) -> str:
        return "" if task.benchmark.name == POSE else right(task, document)

    record = finished(mvbench, silent_about_pose).record.model_copy(update={"scoring": "both"})
    group = the_group(record)
    assert group.published is not None
    assert (group.score.parts, group.published.parts, group.published.parts_total) == (20, 19, 20)
    assert "mean of 20 of 20 subtasks (published: of 19 of 20)" in leaderboard.markdown(record)
    measured = {line["scoring"]: line["parts"] for line in csv_lines(record, "mvbench")["measured"]}
    assert measured == {"sf-eval": "20", "published": "19"}


def test_a_comparison_says_whose_mean_is_of_fewer(mvbench: RunPlan) -> None:
    for runs in (
        {"whole": finished(mvbench, right), "lacking": finished(mvbench, without_pose)},
        {"lacking": finished(mvbench, without_pose), "whole": finished(mvbench, right)},
    ):
        record = build(runs, resamples=100)
        (column,) = record.benchmarks
        assert column.title == "MVBench (19 to 20 of 20 subtasks)"
        assert column.remark == "mean of 19 to 20 of 20 subtasks"
        assert column.tasks == list(SUBTASKS)
        parts = {run.name: run.scores[0].score.parts for run in record.runs}
        assert parts == {"whole": 20, "lacking": 19}
        text = comparison_tables.markdown(record)
        assert "lacking: MVBench is a mean of 19 of 20" in text
        assert "20 of 20" not in text.replace("19 to 20 of 20", "")
        assert "MVBench (19 to 20 of 20 subtasks)" in record.mean_rule


# --- a mean over categories --------------------------------------------------------------------------------


def test_a_type_without_an_answer_is_not_in_the_macro_mean_nor_in_its_count(mlvu: RunPlan) -> None:
    record = finished(mlvu, without_counting).record
    (task,) = record.tasks
    assert (task.score.parts, task.score.parts_total, task.score.accuracy) == (6, 7, 100)
    assert (task.micro.parts, task.micro.parts_total) == (1, 1)
    for text in (leaderboard.markdown(record), on_terminal(record)):
        assert "MLVU (dev) (incomplete): mean over task_type (6 of 7)" in text
        assert "MLVU (dev) is a mean of 6 of 7, since no question of count has a judged answer" in text
        assert "Reported" not in text
    lines = csv_lines(record, "mlvu")
    assert [(line["parts"], line["parts_total"]) for line in lines["measured"]] == [("6", "7")]
    assert lines["reported"] == []


def test_a_whole_macro_mean_stands_beside_published_ones(mlvu: RunPlan) -> None:
    record = finished(mlvu, right).record
    assert (record.tasks[0].score.parts, record.tasks[0].score.parts_total) == (7, 7)
    assert "incomplete" not in leaderboard.markdown(record)
    assert csv_lines(record, "mlvu")["reported"]


def test_a_comparison_says_whose_macro_mean_is_of_fewer(mlvu: RunPlan) -> None:
    runs = {"whole": finished(mlvu, right), "lacking": finished(mlvu, without_counting)}
    record = build(runs, resamples=100)
    (column,) = record.benchmarks
    assert column.title == "MLVU (dev) (incomplete)"
    assert column.remark == "mean over task_type (6 to 7 of 7)"
    assert "lacking: MLVU (dev) is a mean of 6 of 7" in comparison_tables.markdown(record)


def test_results_of_an_older_version_can_still_be_read(mvbench: RunPlan) -> None:
    written = finished(mvbench, right).record.model_dump(mode="json")
    for score in (written["groups"][0]["score"], *(task["score"] for task in written["tasks"])):
        del score["parts"], score["parts_total"]
    del written["groups"][0]["unanswered"]
    assert the_group(RunRecord.model_validate(written)).complete


# --- submissions -------------------------------------------------------------------------------------------


def submitted(plan: RunPlan, play: Player) -> dict[str, int]:
    (task,) = finished(plan, play).record.tasks
    name = task.submission_file
    assert name is not None
    answers: dict[str, int] = json.loads((plan.output / name).read_text())
    return answers


def numbered(task: TaskPlan, document: Document) -> str | None:
    """A to E in turn; every sixth question fails."""
    return [*"ABCDE", None][document.index % 6]


def test_a_submission_holds_every_question_where_a_video_has_several(data: Path, tmp_path: Path) -> None:
    plan = planned(data, "egoschema", tmp_path / "run")
    (task,) = plan.tasks
    assert len({document.video_id for document in task.documents}) < len(task.documents)
    answers = submitted(plan, numbered)
    assert answers == {document.id: [0, 1, 2, 3, 4, -1][document.index % 6] for document in task.documents}
    # A part of them that has one question a video is still known by the same names.
    fewer = replace(plan, tasks=(replace(task, count=1),))
    assert submitted(fewer, numbered) == {task.documents[0].id: 0}


def test_a_submission_names_videos_where_each_has_one_question(data: Path, tmp_path: Path) -> None:
    """As the benchmark's server wants it."""
    rows = list(EDITIONS["egoschema"]().tables["GENERATION/test-00000-of-00001.parquet"])
    first = list({row["video_idx"]: row for row in reversed(rows)}.values())
    shutil.copytree(data / "egoschema", tmp_path / "data" / "egoschema")
    write_table(tmp_path / "data/egoschema/GENERATION/test-00000-of-00001.parquet", first)
    plan = planned(tmp_path / "data", "egoschema", tmp_path / "run")
    answers = submitted(plan, numbered)
    assert answers == {row["video_idx"]: [0, 1, 2, 3, 4, -1][place % 6] for place, row in enumerate(first)}


# --- accuracy against cost ---------------------------------------------------------------------------------


def kept(run: Finished, folder: Path) -> None:
    """The files of a run that another one's Pareto table is made from."""
    folder.mkdir(parents=True)
    (folder / RESULTS).write_text(run.record.model_dump_json())
    (folder / SAMPLES).write_text("".join(f"{sample.model_dump_json()}\n" for sample in run.samples))
    answered = [sample for sample in run.samples if sample.num_frames is not None]
    rows = [
        {
            "group": task.title, "who": "model", "seconds": 0.5, "flops": {"total_flops": 1e9},
            "questions": sum(sample.task == task.task for sample in answered),
        }
        for task in run.record.tasks
    ]  # fmt: skip
    profile = {"flops": rows, "latency": {}, "batch_size": 1, "resumed": 0}
    (folder / pareto.PROFILE).write_text(json.dumps(profile))


def failing_on(index: int, otherwise: Player = right) -> Player:
    return lambda task, document: None if document.index == index else otherwise(task, document)


def compared(folder: Path, run: Finished) -> dict[str, list[str]]:
    """Which runs are in the Pareto table of `run`, whose files are in `folder`, by benchmark."""
    found: dict[str, list[str]] = {}
    for point in pareto.collect(run.record, folder):
        found.setdefault(point.benchmark, []).append(point.run)
    return found


def test_points_are_of_the_same_questions_not_of_as_many(mlvu: RunPlan, tmp_path: Path) -> None:
    own = finished(mlvu, failing_on(3))
    kept(own, tmp_path / "own")
    kept(finished(mlvu, failing_on(3, wrong), name="same"), tmp_path / "same")
    kept(finished(mlvu, failing_on(4), name="other"), tmp_path / "other")
    kept(finished(mlvu, right, name="more"), tmp_path / "more")
    assert compared(tmp_path / "own", own) == {"MLVU (dev)": ["own", "same"]}
    assert compared(tmp_path / "own", own) == compared(tmp_path / "same", own)


def test_a_run_whose_samples_cannot_be_read_is_no_point(mlvu: RunPlan, tmp_path: Path) -> None:
    own = finished(mlvu, right)
    for name in ("own", "gone", "cut"):
        kept(finished(mlvu, right, name=name), tmp_path / name)
    (tmp_path / "gone" / SAMPLES).unlink()
    whole = (tmp_path / "cut" / SAMPLES).read_bytes()
    (tmp_path / "cut" / SAMPLES).write_bytes(whole[: len(whole) // 2])
    assert compared(tmp_path / "own", own) == {"MLVU (dev)": ["own"]}


def test_an_output_with_an_end_of_line_of_unicode_is_one_sample(mlvu: RunPlan, tmp_path: Path) -> None:
    own = finished(mlvu, lambda task, document: f"{document.answer}.\u2028\u0085It is.")
    kept(own, tmp_path / "own")
    assert compared(tmp_path / "own", own) == {"MLVU (dev)": ["own"]}


def test_a_mean_of_19_is_compared_with_the_same_19(mvbench: RunPlan, tmp_path: Path) -> None:
    def without_counting(task: TaskPlan, document: Document) -> str | None:
        return None if task.benchmark.name == "mvbench_action_count" else right(task, document)

    own = finished(mvbench, without_pose)
    kept(own, tmp_path / "own")
    kept(finished(mvbench, without_pose, name="same"), tmp_path / "same")
    kept(finished(mvbench, without_counting, name="other 19"), tmp_path / "other 19")
    kept(finished(mvbench, right, name="whole"), tmp_path / "whole")
    found = compared(tmp_path / "own", own)
    assert found["MVBench (19 of 20 subtasks, without fine_grained_pose)"] == ["own", "same"]
    assert "MVBench" not in found
