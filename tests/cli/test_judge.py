"""Open answers from end to end: not judged, judged later, judged with the run; and what tables say of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from loopback_endpoint import MODEL, LoopbackEndpoint, serving

from sf_eval.cli.main import _run
from sf_eval.harness.journal import Journal
from sf_eval.harness.rescoring import read_run

TASKS = "nextqa_oe,activitynetqa"
KEY = "sk-a-secret-of-the-judge"
NOT_JUDGED = "not judged, only a judge can tell of its 8 open answers"
YES, NO = '{"pred": "yes", "score": 5}', '{"pred": "no", "score": 0}'


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackEndpoint]:
    monkeypatch.setenv("SF_EVAL_JUDGE_KEY", KEY)
    with serving() as endpoint:
        endpoint.says = lambda body: (
            YES if "Predicted Answer: it is " in body["messages"][1]["content"] else NO
        )
        yield endpoint


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a judge, whose model is made to say something: the mini models know letters alone.

    On ActivityNet-QA the first three answers are right; on NExT-QA the first is, and the second says nothing.
    """
    folder = tmp_path_factory.mktemp("judge") / "run"
    args = ["run", "--model", "mini", "--data", "mini", "--tasks", TASKS, "--limit", "8"]
    assert _run([*args, "--num-frames", "4", "--output", str(folder)]) == 0
    assert "not judged" in (folder / "leaderboard.md").read_text()
    kept = read_run(folder)
    questions = [json.loads(line) for line in (folder / "questions.jsonl").read_text().splitlines()]
    with Journal(folder / "journal.jsonl") as journal:
        for line in questions:
            answer = journal.get(line["digest"])
            assert answer is not None
            row, truth = line["document"]["index"], line["document"]["references"][0]
            if line["task"] == "activitynetqa":
                said = f"it is {truth}" if row < 3 else "something else"
            else:
                said = {0: truth, 1: ""}.get(row, "nothing")
            journal.append(line["digest"], replace(answer, text=said))
    assert len(kept.documents) == 16
    assert _run(["score", str(folder)]) == 0
    return folder


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "run")


def tasks_of(folder: Path) -> dict[str, Any]:
    return {task["task"]: task for task in json.loads((folder / "results.json").read_text())["tasks"]}


def judged_by(server: LoopbackEndpoint) -> tuple[str, ...]:
    return ("--judge", server.url, "--judge-model", MODEL)


def test_without_a_judge_there_is_no_score_and_everything_says_so(original: Path, sf_eval: Callable) -> None:
    task = tasks_of(original)["activitynetqa"]
    assert (task["score"]["accuracy"], task["score"]["n"], task["score"]["not_judged"]) == (None, 0, 8)
    assert (task["score"]["coverage"], task["judge"], task["settled_by"]) == (100.0, None, "judge")
    tables = (original / "leaderboard.md").read_text()
    assert "| ActivityNet-QA | not judged |" in tables
    assert tables.count(NOT_JUDGED) == 2  # the table of scores, and that of categories
    shown = sf_eval("score", original).out
    assert "Not judged, and so in no score: 8 answers to ActivityNet-QA" in shown
    assert "sf-eval score RUN --judge URL --judge-model NAME" in shown
    lines = [json.loads(line) for line in (original / "samples.jsonl").read_text().splitlines()]
    assert {line["outcome"] for line in lines if line["task"] == "activitynetqa"} == {"not_judged"}
    assert all(line["output"] is not None and line["references"] and not line["options"] for line in lines)


def test_wups_of_the_mini_edition_names_its_own_words(original: Path) -> None:
    task = tasks_of(original)["nextqa_oe"]
    assert "not WordNet" in task["lexicon"]
    assert task["score"]["accuracy"] == pytest.approx(100 / 8)
    assert (task["score"]["correct"], task["score"]["no_answer"], task["score"]["wrong"]) == (1, 1, 6)
    assert "WUPS, the mean likeness" in (original / "leaderboard.md").read_text()


def test_answers_are_judged_later_and_never_twice(
    run: Path, server: LoopbackEndpoint, sf_eval: Callable
) -> None:
    done = sf_eval("score", run, *judged_by(server))
    assert done.code == 0, done
    assert "agrees in 2 of 2 tasks" in done.out  # lmms-eval's replay, with the same verdicts
    task = tasks_of(run)["activitynetqa"]
    assert task["score"]["accuracy"] == pytest.approx(100 * 3 / 8)
    assert (task["score"]["correct"], task["score"]["wrong"], task["score"]["not_judged"]) == (3, 5, 0)
    assert task["judge"]["model"] == MODEL
    said = f"judged by {MODEL} at {server.url} with the prompt activitynetqa ("
    for name in ("leaderboard.md", "pareto.md"):
        assert said in (run / name).read_text()
    assert said in done.out.replace("\n", " ")
    for path in run.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path
    asked = len(server.sent)
    assert asked == 8
    assert sf_eval("score", run, *judged_by(server)).code == 0
    assert sf_eval("score", run).code == 0
    assert len(server.sent) == asked
    assert tasks_of(run)["activitynetqa"] == task


def test_a_judge_that_fails_lowers_the_coverage_and_is_no_answer(
    run: Path, server: LoopbackEndpoint, sf_eval: Callable
) -> None:
    server.says = lambda body: "I think so" if "something else" in body["messages"][1]["content"] else YES
    done = sf_eval("score", run, *judged_by(server))
    assert done.code == 1
    assert "5 answers have no verdict" in done.out
    score = tasks_of(run)["activitynetqa"]["score"]
    assert (score["accuracy"], score["n"], score["coverage"]) == (100.0, 3, pytest.approx(100 * 3 / 8))
    assert score["failures"] == {"judge_error": 5}
    assert score["bounds"] == [pytest.approx(100 * 3 / 8), 100.0]
    server.says = lambda _: NO
    assert sf_eval("score", run, *judged_by(server)).code == 0
    assert tasks_of(run)["activitynetqa"]["score"]["correct"] == 3  # those verdicts were kept


def test_a_key_that_the_judge_repeats_is_in_no_file(
    run: Path, server: LoopbackEndpoint, sf_eval: Callable
) -> None:
    server.says = lambda body: (
        f'{{"pred": "yes", "score": 5, "for": "{KEY}"}}'
        if "something else" in body["messages"][1]["content"]
        else YES
    )
    assert sf_eval("score", run, *judged_by(server)).code == 1
    assert "***" in (run / "samples.jsonl").read_text()
    for path in run.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes(), path


def test_runs_that_need_no_judge_are_recorded_beside_those_that_do(
    run: Path, server: LoopbackEndpoint, sf_eval: Callable, tmp_path: Path
) -> None:
    words = tmp_path / "words"
    asked = ("--model", "mini", "--data", "mini", "--tasks", "nextqa_oe", "--limit", "1", "--num-frames", "4")
    assert sf_eval("run", *asked, "--output", words).code == 0
    server.sent.clear()
    refused = sf_eval("score", words, *judged_by(server))
    assert refused.code == 2
    assert "needs a judge" in refused.err
    done = sf_eval("score", words, run, *judged_by(server))
    assert done.code == 0, done
    assert len(server.sent) == 8
    assert not (words / "judgements.jsonl").exists()
    assert json.loads((words / "results.json").read_text())["rescored"] is not None
    assert tasks_of(run)["activitynetqa"]["score"]["correct"] == 3


@pytest.mark.parametrize("address", ["http://[::1", "http://localhost:port/v1"])
def test_what_is_no_address_is_said_in_a_line(original: Path, sf_eval: Callable, address: str) -> None:
    refused = sf_eval("score", original, "--judge", address, "--judge-model", MODEL)
    assert refused.code == 2
    assert f"--judge: '{address}' is no address." in refused.err
    assert "Traceback" not in refused.err


def test_a_run_is_judged_at_once_where_it_is_asked(
    tmp_path: Path, server: LoopbackEndpoint, sf_eval: Callable
) -> None:
    common = ("run", "--model", "mini", "--data", "mini", "--num-frames", "4", "--output", tmp_path / "run")
    refused = sf_eval(*common, "--tasks", "nextqa_oe", *judged_by(server))
    assert refused.code == 2
    assert "none of the tasks needs a judge" in refused.err
    alone = sf_eval(*common, "--tasks", "activitynetqa", "--judge", server.url)
    assert alone.code == 2
    assert "--judge-model NAME" in alone.err
    server.says = lambda _: NO
    done = sf_eval(*common, "--tasks", "activitynetqa", "--limit", "2", *judged_by(server))
    assert done.code == 0, done
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert results["rescored"] is None
    assert results["tasks"][0]["score"]["accuracy"] == 0.0


def test_a_comparison_leaves_what_is_not_judged_out_of_the_mean_by_name(
    original: Path, run: Path, server: LoopbackEndpoint, sf_eval: Callable, tmp_path: Path
) -> None:
    other = shutil.copytree(original, tmp_path / "other")
    done = sf_eval("compare", run, other, "--output", tmp_path / "plain")
    assert done.code == 0, done
    record = json.loads((tmp_path / "plain" / "comparison.json").read_text())
    assert "Nor is what is not judged: ActivityNet-QA." in record["mean_rule"]
    assert {column["name"]: column["in_mean"] for column in record["benchmarks"]} == {
        "nextqa_oe": True,
        "activitynetqa": False,
    }
    assert sf_eval("score", run, *judged_by(server)).code == 0
    server.says = lambda _: NO
    assert sf_eval("score", other, "--judge", server.url, "--judge-model", MODEL).code == 0
    assert sf_eval("compare", run, other, "--output", tmp_path / "judged").code == 0
    record = json.loads((tmp_path / "judged" / "comparison.json").read_text())
    assert all(column["in_mean"] for column in record["benchmarks"])
    pairs = {pair["benchmark"]: pair for pair in record["gains"][0]["by_benchmark"]}
    assert (pairs["activitynetqa"]["gained"], pairs["activitynetqa"]["lost"]) == (3, 0)
    assert f"judged by {MODEL}" in (tmp_path / "judged" / "comparison.md").read_text()
    results = json.loads((other / "results.json").read_text())
    for task in results["tasks"]:
        if task["judge"] is not None:
            task["judge"]["model"] = "another/judge"
    (other / "results.json").write_text(json.dumps(results))
    assert sf_eval("compare", run, other, "--output", tmp_path / "apart").code == 0
    record = json.loads((tmp_path / "apart" / "comparison.json").read_text())
    column = next(column for column in record["benchmarks"] if column["name"] == "activitynetqa")
    assert not column["in_mean"]
    assert f"different judges or prompts ({MODEL} at " in column["remark"]


def test_the_stock_command_shows_no_accuracy_for_what_nobody_judged() -> None:
    """`lmms-eval --tasks sf_activitynetqa`: its table has nan and how many wait, never 0."""
    import math

    from sf_eval.data.source import parse_source
    from sf_eval.lmms import context
    from sf_eval.lmms.task import SlowFastTask

    config = {"task": "sf_activitynetqa", "test_split": "test", "output_type": "generate_until"}
    with context.activate(context.StockContext(parse_source("mini"))):
        task = SlowFastTask({**config, "dataset_path": "none", "metadata": {"version": 1.0}})
        docs = list(task.test_docs())
        metrics = [task.process_results(doc, ["red"]) for doc in docs[:3]]
    assert task.doc_to_target(docs[0]) == task.document(docs[0]).references[0]
    told = {
        name: aggregate([each[name] for each in metrics]) for name, aggregate in task.aggregation().items()
    }
    assert set(told) == {"accuracy", "coverage", "not_judged"}
    assert math.isnan(told["accuracy"])
    assert (told["coverage"], told["not_judged"]) == (100.0, 3.0)
