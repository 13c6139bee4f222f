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
from sf_eval.benchmarks.document import Document
from sf_eval.harness.finished import read_finished
from sf_eval.harness.judged.judgements import JudgementsFile, JudgeName
from sf_eval.harness.plan import RunPlan, TaskPlan, make_plan
from sf_eval.harness.settings import RunSettings
from sf_eval.report import leaderboard, pareto
from sf_eval.report.boards import board, board_csv, board_table
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.gate import GateBy, gated, parse_gate
from sf_eval.report.comparison.pair_tables import second_table
from sf_eval.report.comparison.reading import contestants
from sf_eval.report.comparison.tables import benchmark_table, summary_table
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


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    """Judged answers alone, and in a group with those that letters settle."""
    output = tmp_path_factory.mktemp("mixed") / "run"
    output.mkdir()
    tasks = "activitynetqa,tempcompass_yes_no,tempcompass_captioning"
    return make_plan(RunSettings(model="mini", tasks=tasks, data="mini", output=output))


def by_letter_or_word(task: TaskPlan, document: Document) -> str:
    """The truth on odd rows; half the yes-or-no questions are right."""
    if document.references:
        return saying("red")(task, document)
    return document.options[document.answer or ""] if document.index % 2 else "Z"


def judged_run(mixed: RunPlan, folder: Path, model: str | None) -> Finished:
    """A run with always the same answers; `model` finds those on odd rows right, on all tasks."""
    folder.mkdir(parents=True)
    placed = replace(mixed, output=folder)
    if model is not None:
        with JudgementsFile(folder) as file:
            for task in placed.tasks:
                if task.benchmark.settled_by == "judge":
                    prompt = prompt_of(task.benchmark)
                    name = JudgeName(model, "http://localhost/v1", prompt.name, prompt.digest)
                    for document in task.documents:
                        said = by_letter_or_word(task, document)
                        is_right = model == "lenient" or document.index % 2 == 1
                        file.append(name.key(document, said), name, Judgement(is_right, "said"))
    run = finished(placed, by_letter_or_word, name=folder.name)
    (folder / "profile.json").write_text(json.dumps(run.profile))
    return run


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


# --- verdicts that are no two of a kind --------------------------------------------------------------------

TEMPCOMPASS = "TempCompass (1 of 4 tasks"


def test_verdicts_of_two_judges_make_no_difference_and_open_no_gate(mixed: RunPlan, tmp_path: Path) -> None:
    runs = {name: judged_run(mixed, tmp_path / name, name) for name in ("lenient", "strict")}
    record = build(runs, resamples=200)
    columns = {column.name: column for column in record.benchmarks}
    assert {name: column.incomparable for name, column in columns.items()} == {
        "activitynetqa": "judges", "tempcompass": None, "tempcompass_captioning": "judges",
    }  # fmt: skip
    assert "judged by different judges or prompts (lenient at " in columns["activitynetqa"].remark
    (gain,) = record.gains
    assert [pair.benchmark for pair in gain.by_benchmark] == ["tempcompass"]
    assert gain.by_benchmark[0].difference.value == 0
    assert gain.flips == []
    assert gain.left_out == 0
    assert len({run.mean.value for run in record.runs if run.mean}) == 1
    for kind in record.kinds:
        assert len({score.accuracy for score in kind.scores}) == 1, kind.name
    for name in ("activitynetqa", "tempcompass_captioning"):
        told = gated(parse_gate(f"{name}>=-100"), record, GateBy.estimate)
        assert not told.passed
        assert "cannot be told" in told.sentence
        assert "judged by different judges or prompts" in told.sentence


def test_what_one_run_had_judged_is_in_no_mean_of_a_group(mixed: RunPlan, tmp_path: Path) -> None:
    runs = {
        "judged": judged_run(mixed, tmp_path / "judged", "lenient"),
        "not": judged_run(mixed, tmp_path / "not", None),
    }
    record = build(runs, resamples=200)
    means = [run.mean.value for run in record.runs if run.mean]
    assert means == [50.0, 50.0]
    cells = {row[0]: row[2:] for row in benchmark_table(record).rows}
    assert next(row for title, row in cells.items() if title.startswith(TEMPCOMPASS)) == ("50.0", "50.0")
    assert cells["TempCompass captioning *"] == ("100.0", "not judged")
    assert "Nor is what is not judged: ActivityNet-QA, TempCompass captioning." in record.mean_rule
    assert TEMPCOMPASS in record.mean_rule
    remark = next(column.remark for column in record.benchmarks if column.name == "activitynetqa")
    assert "48 of not;" in remark
    notes = " ".join(summary_table(record).notes)
    assert "failed on them" not in notes
    assert "Left out, as they are not judged in judged or not: 68 questions." in notes
    assert record.gains[0].not_judged == record.gains[0].left_out == 68


def test_where_nothing_can_be_compared_the_reason_is_the_true_one(mixed: RunPlan, tmp_path: Path) -> None:
    alone = replace(mixed, tasks=tuple(t for t in mixed.tasks if t.benchmark.name == "activitynetqa"))
    runs = {name: judged_run(alone, tmp_path / name, name) for name in ("lenient", "strict")}
    record = build(runs, resamples=200)
    (gain,) = record.gains
    assert gain.overall is None
    assert gain.verdict is not None
    for said in (gain.verdict.sentence, " ".join(answer(record))):
        assert "ActivityNet-QA is judged by different judges or prompts" in said
        assert "no benchmark was asked of both" not in said
        assert "has no question" not in said


def test_a_judges_failure_is_not_called_the_models(plan: RunPlan, tmp_path: Path) -> None:
    one = played(plan, tmp_path / "one", "red", judged=True)  # without a verdict on the first question
    folder = tmp_path / "other"
    folder.mkdir()
    (task,) = (task for task in plan.tasks if task.benchmark.name == "activitynetqa")
    with JudgementsFile(folder) as file:
        for document in task.documents:
            said = saying("blue")(task, document)
            file.append(JUDGE.key(document, said), JUDGE, Judgement(document.index % 2 == 1, "said"))
    other = finished(replace(plan, output=folder), saying("blue"), name="blue")
    record = build({"one": one, "other": other}, resamples=200)
    notes = " ".join(summary_table(record).notes)
    assert "Left out, as the judge of one or other gave no verdict on them: 1 questions." in notes
    assert "failed on them" not in notes


def test_a_pareto_front_is_of_one_judge(mixed: RunPlan, tmp_path: Path) -> None:
    for name, model in (("lenient", "lenient"), ("also", "lenient"), ("strict", "strict")):
        run = judged_run(mixed, tmp_path / name, model)
        rows = [
            {"group": task.title, "who": "model", "seconds": 0.5, "flops": {"total_flops": 1e9},
             "questions": task.questions_asked}
            for task in run.record.tasks
        ]  # fmt: skip
        profile = {"flops": rows, "latency": {}, "batch_size": 1, "resumed": 0}
        (tmp_path / name / "profile.json").write_text(json.dumps(profile))
    record = read_finished(tmp_path / "lenient").output.record
    shown = {(point.benchmark, point.run) for point in pareto.collect(record, tmp_path / "lenient")}
    assert {run for title, run in shown if title == "ActivityNet-QA"} == {"also", "lenient"}
    assert {run for title, run in shown if title.endswith("captioning")} == {"also", "lenient"}
    assert {run for title, run in shown if title.endswith("yes/no")} <= {"also", "lenient", "strict"}


def test_a_board_says_not_judged_and_marks_what_different_judges_said(mixed: RunPlan, tmp_path: Path) -> None:
    for name, model in (("lenient", "lenient"), ("not", None)):
        judged_run(mixed, tmp_path / name, model)
    found = board([tmp_path], published=False, sort="activitynetqa")
    assert not any("*" in title for title in found.titles.values())
    table = board_table(found)
    cells = [row[table.columns.index("ActivityNet-QA")] for row in table.rows]
    assert cells[1] == "not judged"
    assert cells[0].startswith("100.0")
    lines = list(csv.DictReader(io.StringIO(board_csv(found))))
    own = {line["settled"].partition(";")[0]: line for line in lines if line["benchmark"] == "activitynetqa"}
    assert len(own) == 2
    assert [line["accuracy"] for said, line in own.items() if "not judged" in said] == [""]
    assert any("judged by lenient at" in said for said in own)
    assert any("judged by lenient" in line["settled"] for line in lines if line["benchmark"] == "tempcompass")

    judged_run(mixed, tmp_path / "strict", "strict")
    found = board([tmp_path], published=False)
    assert found.titles["activitynetqa"] == "ActivityNet-QA *"
    assert found.titles["tempcompass"].endswith(" *")
    note = next(note for note in found.notes if note.startswith("* ActivityNet-QA"))
    assert "lenient" in note
    assert "strict" in note


def test_an_export_of_a_group_names_its_judge_prompt_and_metric(mixed: RunPlan, tmp_path: Path) -> None:
    judged_run(mixed, tmp_path / "run", "strict")
    run = Exported(read_finished(tmp_path / "run"))
    said = "judged by strict at http://localhost/v1 with the prompt tempcompass_captioning ("
    (aggregate,) = (p for p in export(run, "every-eval-ever", tmp_path / "eee") if p.suffix == ".json")
    value = json.loads(aggregate.read_text())
    jsonschema.validate(value, json.loads((SCHEMAS / "eval.schema.json").read_text()))
    (group,) = (r for r in value["evaluation_results"] if r["evaluation_result_id"].startswith("tempcompass"))
    assert group["evaluation_result_id"] == "tempcompass/mixed"
    assert group["metric_config"]["metric_name"] == "Mean of Accuracy and Judged accuracy"
    assert said in group["metric_config"]["evaluation_description"]
    (index,) = export(run, "model-index", tmp_path / "index")
    assert "type: mixed" in index.read_text()
    assert said in " ".join(index.read_text().split())
    (scores,) = (p for p in export(run, "csv", tmp_path / "csv") if p.name.startswith("scores"))
    (row,) = (r for r in csv.DictReader(io.StringIO(scores.read_text())) if r["benchmark"] == "tempcompass")
    assert row["metric"] == "mixed"
    assert said in row["settled"]


def test_a_log_that_is_settled_here_names_the_lexicon(plan: RunPlan, tmp_path: Path) -> None:
    run = played(plan, tmp_path / "run", "red", judged=False)
    (tmp_path / "run" / "profile.json").write_text(json.dumps(run.profile))
    (tmp_path / "log").mkdir()
    lines = [
        {"doc_id": sample.doc_id, "target": sample.references[0], "resps": [["red"]], "input": "",
         "wups": {"question_id": sample.question_id}}
        for sample in run.samples if sample.task == "nextqa_oe"
    ]  # fmt: skip
    log = tmp_path / "log" / "20250101_000000_samples_sf_nextqa_oe.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    record = build(contestants([tmp_path / "log", tmp_path / "run"]), resamples=200)
    (column,) = (column for column in record.benchmarks if column.name == "nextqa_oe")
    assert "over the mini editions' own few words" in column.remark
    assert column.incomparable is None
    assert column.in_mean
