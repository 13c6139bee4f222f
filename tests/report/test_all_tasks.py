"""`--tasks all` on the mini editions: every benchmark is planned, answered, scored and told.

Nobody watches the videos here: functions answer instead of a model, and so none is rendered.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from sf_eval.benchmarks.catalog import benchmark_names, get_benchmark, get_group, group_names
from sf_eval.benchmarks.document import Document
from sf_eval.editions import edition
from sf_eval.editions.scene import Scene
from sf_eval.harness.plan import RunPlan, TaskPlan, make_plan
from sf_eval.harness.record import RunRecord
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.report import leaderboard

from .test_comparison import finished


def empty_video(path: Path, *_: Scene) -> None:
    path.touch()


def empty_frames(folder: Path, *_: Scene) -> None:
    folder.mkdir(parents=True)
    (folder / "00001.jpg").touch()


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPlan]:
    output = tmp_path_factory.mktemp("all") / "run"
    output.mkdir()
    settings = RunSettings(model="mini", tasks="all", data="mini", limit=parse_limit("4"), output=output)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SF_EVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(edition, "write_video", empty_video)
        patch.setattr(edition, "write_frames_folder", empty_frames)
        yield make_plan(settings)


def in_the_words_shown(_: TaskPlan, document: Document) -> str:
    """The right answer as the prompt calls it: a letter, "Option 2", "yes", or an open answer's words."""
    if document.references:
        return document.references[0]
    return document.called(document.answer or "A")


@pytest.fixture(scope="module")
def record(plan: RunPlan) -> RunRecord:
    return finished(plan, in_the_words_shown).record


def test_every_benchmark_has_a_mini_edition_and_is_planned(plan: RunPlan) -> None:
    assert [task.benchmark.name for task in plan.tasks] == benchmark_names()
    assert plan.notes == ()
    assert plan.total == 4 * len(plan.tasks)


@pytest.mark.parametrize("name", benchmark_names())
def test_a_right_answer_in_the_words_that_were_shown_is_right(record: RunRecord, name: str) -> None:
    task = next(task for task in record.tasks if task.task == name)
    benchmark = get_benchmark(name)
    is_known = not benchmark.writes_submission and benchmark.settled_by != "judge"
    assert task.micro.accuracy == (100 if is_known else None)
    assert task.micro.coverage == 100
    titles = {entry.benchmark for entry in leaderboard.entries(record, folded=True)}
    assert (benchmark.title if benchmark.group is None else benchmark.group.title) in titles


def test_the_group_score_stands_beside_the_accuracy(record: RunRecord) -> None:
    for name in ("videomme_v2", "videomme_v2_w_subtitle"):
        (task,) = (task for task in record.tasks if task.task == name)
        assert next((score.part, score.score, score.groups) for score in task.group_scores) == ("all", 100, 1)
        title = task.title
        text = leaderboard.markdown(record)
        assert f"{title}: group score 100.0 of 1 groups of four questions." in text
        assert f"## {title}, group score: " in text
    lines = list(csv.DictReader(io.StringIO(leaderboard.csv_text(record))))
    grouped = [line for line in lines if line["scoring"] == "group score"]
    assert [(line["benchmark"], line["accuracy"], line["n"]) for line in grouped] == [
        ("videomme_v2", "100.0", "1"), ("videomme_v2_w_subtitle", "100.0", "1"),
    ]  # fmt: skip
    assert not any(task.group_scores for task in record.tasks if not task.task.startswith("videomme_v2"))


def test_a_group_says_of_which_of_its_parts_the_mean_is(record: RunRecord) -> None:
    for name in group_names():
        (group,) = (group for group in record.groups if group.group == name)
        (entry,) = (entry for entry in leaderboard.entries(record, folded=True) if entry.name == name)
        total = len(get_group(name).parts)
        assert (group.score.parts_total, group.complete) == (total, len(group.tasks) == total)
        assert (entry.title == group.title) == group.complete
        assert entry.column == (get_group(name).published_column if group.complete else None)
