"""The gain in group score of Video-MME-v2: on whole groups that both answered, a group one observation."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sf_eval.benchmarks.document import Document
from sf_eval.editions import edition
from sf_eval.harness.plan import RunPlan, TaskPlan, make_plan
from sf_eval.harness.settings import RunSettings
from sf_eval.report.comparison import tables
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.record import GroupGainRecord
from sf_eval.report.view.page import _of_comparison

from .test_all_tasks import empty_video
from .test_comparison import at_random, finished, right, wrong


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunPlan]:
    output = tmp_path_factory.mktemp("groups") / "run"
    output.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SF_EVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(edition, "write_video", empty_video)
        yield make_plan(RunSettings(model="mini", tasks="videomme_v2", data="mini", output=output))


def test_it_is_of_the_runs_own_group_scores(plan: RunPlan) -> None:
    runs = {"good": finished(plan, at_random(1, 0.9)), "bad": finished(plan, at_random(2, 0.4))}
    record = build(runs)
    (gain,) = record.gains
    own = {
        name: {score.part: score for score in run.record.tasks[0].group_scores} for name, run in runs.items()
    }
    assert [found.part for found in gain.group_scores] == list(own["good"])
    for found in gain.group_scores:
        assert found.benchmark == "videomme_v2"
        assert found.tested == pytest.approx(own["good"][found.part].score)
        assert found.reference == pytest.approx(own["bad"][found.part].score)
        assert found.difference.value == pytest.approx(found.tested - found.reference)
        assert (found.groups, found.left_out) == (own["good"][found.part].groups, 0)
    whole = gain.group_scores[0]
    low, high = whole.difference.interval95 or (0.0, 0.0)
    assert 0 < low < whole.difference.value < high
    assert (whole.part, whole.groups) == ("all", gain.by_benchmark[0].videos)

    text = tables.markdown(record)
    assert "## Gain of good in group score: " in text
    assert f"| {whole.difference.value:+.1f} | [{low:.1f}, {high:.1f}] |" in text
    assert any("in group score" in table.title for table in _of_comparison(record)["tables"])
    lines = [
        line for line in csv.DictReader(io.StringIO(tables.csv_text(record)))
        if line["measure"] == "group score difference"
    ]  # fmt: skip
    assert [(line["run"], line["reference"], float(line["value"])) for line in lines] == [
        ("good", "bad", whole.difference.value)
    ]


def test_a_level_that_was_revised_is_the_tested_runs(plan: RunPlan) -> None:
    new, old = finished(plan, at_random(1, 0.9)), finished(plan, at_random(2, 0.4))
    before = build({"new": new, "old": old}).gains[0].group_scores
    revised = [
        sample.model_copy(update={"categories": {**sample.categories, "level": "9"}})
        for sample in old.samples
    ]
    old = replace(old, output=replace(old.output, samples=revised))
    after = build({"new": new, "old": old}).gains[0].group_scores
    assert after == before


def test_a_group_that_one_of_them_failed_on_is_left_out(plan: RunPlan) -> None:
    def fails_once(task: TaskPlan, document: Document) -> str | None:
        return None if document.index == 2 else right(task, document)

    def errs_once(task: TaskPlan, document: Document) -> str:
        return wrong(task, document) if document.index == 0 else right(task, document)

    (gain,) = build({"one": finished(plan, fails_once), "two": finished(plan, errs_once)}).gains
    whole: GroupGainRecord = gain.group_scores[0]
    groups = plan.total // 4
    assert (whole.groups, whole.left_out) == (groups - 1, 1)
    # The failed question is of the group that the other one erred in: what is left is alike.
    assert (whole.tested, whole.reference, whole.difference.value) == (100, 100, 0)
    assert whole.difference.interval95 == (0, 0)
