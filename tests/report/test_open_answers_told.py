"""What comparisons and exports say of open answers: credits, verdicts, who judged, and what nobody judged.

The answers are given by functions, as in `test_comparison`; the verdicts are written as a judge's would be.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_comparison import Player, finished

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.harness.finished import read_finished
from sf_eval.harness.judged.judgements import JudgementsFile, JudgeName
from sf_eval.harness.plan import RunPlan, make_plan
from sf_eval.harness.settings import RunSettings
from sf_eval.report import leaderboard
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.pair_tables import second_table
from sf_eval.report.comparison.tables import benchmark_table
from sf_eval.report.export.exported import Exported
from sf_eval.report.export.formats import export
from sf_eval.scoring.judging.prompts import prompt_of
from sf_eval.scoring.settling import Judgement

SCHEMAS = Path(__file__).parent / "every_eval_ever_0_3_0"
TASKS = "nextqa_oe,activitynetqa,tempcompass_captioning"
PROMPT = prompt_of(get_benchmark("activitynetqa"))
JUDGE = JudgeName("a-judge", "http://localhost/v1", PROMPT.name, PROMPT.digest)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    output = tmp_path_factory.mktemp("open") / "run"
    output.mkdir()
    return make_plan(RunSettings(model="mini", tasks=TASKS, data="mini", output=output))


def saying(word: str) -> Player:
    """The truth on odd rows, and `word` on even ones."""

    def play(_: object, document) -> str:
        return document.references[0] if document.index % 2 else word

    return play


def judge(plan: RunPlan, word: str) -> None:
    """Verdicts on ActivityNet-QA alone: the truth is right, the first question has none."""
    (task,) = (task for task in plan.tasks if task.benchmark.name == "activitynetqa")
    with JudgementsFile(plan.output) as file:
        for document in task.documents:
            said = saying(word)(task, document)
            right = None if document.index == 0 else said == document.references[0]
            file.append(JUDGE.key(document, said), JUDGE, Judgement(right, f"about {said}"))


def played(plan: RunPlan, folder: Path, word: str, *, judged: bool):
    folder.mkdir()
    placed = replace(plan, output=folder)
    if judged:
        judge(placed, word)
    return finished(placed, saying(word), name=word)


def test_credits_are_compared_and_mcnemar_is_left_out_where_they_are_parts(
    plan: RunPlan, tmp_path: Path
) -> None:
    one = played(plan, tmp_path / "one", "red", judged=True)
    other = played(plan, tmp_path / "other", "blue", judged=True)
    record = build({"one": one, "other": other}, resamples=200)
    columns = {column.name: column for column in record.benchmarks}
    assert columns["nextqa_oe"].in_mean
    assert columns["activitynetqa"].in_mean
    assert "judged by a-judge at http://localhost/v1 with the prompt activitynetqa" in (
        columns["activitynetqa"].remark
    )
    assert "not judged" in " ".join(record.notes)  # captioning: nobody was asked
    assert "Nor is what is not judged: TempCompass captioning." in record.mean_rule
    pairs = {pair.benchmark: pair for pair in record.gains[0].by_benchmark}
    wups, judged = pairs["nextqa_oe"], pairs["activitynetqa"]
    assert 0 < wups.reference < 100
    assert (wups.mcnemar_p, wups.gained, wups.lost) == (None, None, None)
    assert wups.difference.value == pytest.approx(wups.tested - wups.reference)
    assert judged.mcnemar_p is not None
    assert judged.n == 47  # the answer without a verdict is a failure of both
    assert record.gains[0].overall is not None
    assert not any(flip.task == "nextqa_oe" and flip.tested == "orange" for flip in record.gains[0].flips)
    chances = {kind.name: kind.chance for kind in record.kinds}
    assert {name for name in chances if name.endswith(", open")} == set(chances)
    assert set(chances.values()) == {0.0}
    assert "none where answers earn parts" in " ".join(second_table(record).notes)
    assert "judged by a-judge" in " ".join(benchmark_table(record).notes)


def test_every_table_of_a_run_names_who_judged(plan: RunPlan, tmp_path: Path) -> None:
    run = played(plan, tmp_path / "run", "red", judged=True)
    said = "judged by a-judge at http://localhost/v1 with the prompt activitynetqa ("
    tables = [
        leaderboard.measured_table(run.record),
        leaderboard.failures_table(run.record),
        *(table for table in leaderboard.breakdown_tables(run.record) if "ActivityNet-QA" in table.title),
    ]
    for table in tables:
        assert said in " ".join(table.notes), table.title
    rows = csv.DictReader(io.StringIO(leaderboard.csv_text(run.record)))
    lines = {row["benchmark"]: row for row in rows if row["kind"] == "measured"}
    assert said in lines["activitynetqa"]["settled"]
    assert "judge_error" in str(leaderboard.failures_table(run.record).rows)
    again = read_finished(tmp_path / "run").output  # as a comparison reads it
    assert again.record.tasks == run.record.tasks
    assert again.samples == run.samples


def test_what_nobody_judged_is_a_word_in_the_cell(plan: RunPlan, tmp_path: Path) -> None:
    run = played(plan, tmp_path / "run", "red", judged=False)
    table = leaderboard.measured_table(run.record, folded=True)
    cells = {row[0]: row[table.columns.index("score %")] for row in table.rows}
    assert cells["ActivityNet-QA"] == "not judged"
    assert any(title.startswith("TempCompass") and cell == "not judged" for title, cell in cells.items())


def test_a_partly_judged_benchmark_is_never_called_whole(plan: RunPlan, tmp_path: Path) -> None:
    """As Ctrl-C leaves it: everything is answered, nothing failed, and 8 of 48 answers have a verdict."""
    (task,) = (task for task in plan.tasks if task.benchmark.name == "activitynetqa")

    def exported(name: str, asked: slice) -> Exported:
        placed = replace(plan, tasks=(task,), output=tmp_path / name)
        placed.output.mkdir()
        with JudgementsFile(placed.output) as file:
            for document in task.documents[asked]:
                key = JUDGE.key(document, saying("red")(task, document))
                file.append(key, JUDGE, Judgement(bool(document.index % 2) if document.index else None, "so"))
        finished(placed, saying("red"), name=name)
        return Exported(read_finished(placed.output))

    def cell(run: Exported) -> str:
        table = leaderboard.measured_table(run.record)
        return table.rows[0][table.columns.index("score %")]

    run = exported("part", slice(1, 9))
    score = run.record.tasks[0].score
    assert (score.n, score.not_judged, score.failures, run.record.complete) == (8, 40, {}, True)
    assert cell(run) == f"{score.accuracy:.1f}, 8 of 48 judged"
    assert run.gaps() == ["ActivityNet-QA: 40 open answers are not judged yet"]
    assert run.completeness == "subset"
    (card,) = export(run, "model-index", tmp_path / "card")
    assert "subset" in card.name
    assert card.read_text().count("subset)") >= 2  # the data set's name, and the metric's
    failed = exported("failed", slice(9))
    assert cell(failed) == f"{failed.record.tasks[0].score.accuracy:.1f}, 8 of 48 judged"
    asked = exported("asked", slice(48))
    assert asked.gaps() == ["ActivityNet-QA: 1 questions failed"]
    assert "judged" not in cell(asked)


def test_exports_hold_credits_verdicts_and_accepted_answers(plan: RunPlan, tmp_path: Path) -> None:
    played(plan, tmp_path / "run", "red", judged=True)
    run = Exported(read_finished(tmp_path / "run"))
    files = {path.name: path for path in export(run, "every-eval-ever", tmp_path / "eee") if path.is_file()}
    (aggregate,) = (path for name, path in files.items() if name.endswith(".json"))
    value = json.loads(aggregate.read_text())
    jsonschema.validate(value, json.loads((SCHEMAS / "eval.schema.json").read_text()))
    results = {each["evaluation_result_id"]: each for each in value["evaluation_results"]}
    assert {"nextqa_oe/wups", "activitynetqa/judged_accuracy"} <= set(results)
    description = results["activitynetqa/judged_accuracy"]["metric_config"]["evaluation_description"]
    assert "judged by a-judge" in description
    schema = jsonschema.Draft7Validator(json.loads((SCHEMAS / "instance_level_eval.schema.json").read_text()))
    (lines,) = (path for name, path in files.items() if name.endswith(".jsonl"))
    scores = []
    for line in map(json.loads, lines.read_text().splitlines()):
        schema.validate(line)
        scores.append(line["evaluation"]["score"])
    assert any(0 < score < 1 for score in scores)

    (samples,) = (path for path in export(run, "csv", tmp_path / "csv") if path.name.startswith("samples"))
    rows = list(csv.DictReader(io.StringIO(samples.read_text())))
    (first,) = (row for row in rows if row["task"] == "activitynetqa" and row["doc_id"] == "1")
    assert (first["outcome"], float(first["credit"])) == ("correct", 1.0)
    assert json.loads(first["references"]) == [first["output"]]
    assert first["judge_said"] == f"about {first['output']}"

    log = pytest.importorskip("inspect_ai.log")
    logs = {path.name.partition(".")[0]: path for path in export(run, "inspect", tmp_path / "inspect")}
    read = log.read_eval_log(str(logs["nextqa_oe"]))
    assert any(0 < sample.scores["sf_eval"].value < 1 for sample in read.samples)
    assert read.samples[0].target == list(run.samples[0].references)
    assert all(not sample.scores for sample in log.read_eval_log(str(logs["tempcompass_captioning"])).samples)
