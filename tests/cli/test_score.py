"""`sf-eval score`: answers judged anew from a run's folder alone; and lmms-eval's replay of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sf_eval.cli.main import _run
from sf_eval.core.paths import PACKAGE
from sf_eval.editions import mini_root
from sf_eval.harness.journal import Journal, read_journal
from sf_eval.harness.recording import RunOutput
from sf_eval.harness.rescoring import read_run, rescore
from sf_eval.lmms.replay import ReplayDisagreementError, replay

TASKS = "videomme,egoschema_subset,videomme_w_subtitle"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights and data lay in folders of their own, which are gone."""
    base = tmp_path_factory.mktemp("score")
    shutil.copytree(PACKAGE / "assets" / "mini", base / "weights")
    for name in ("videomme", "egoschema"):
        shutil.copytree(mini_root([name]) / name, base / "data" / name)
    args = ["run", "--model", base / "weights", "--data", base / "data", "--tasks", TASKS]
    assert _run([*map(str, args), "--limit", "4", "--num-frames", "4", "--output", str(base / "run")]) == 0
    shutil.rmtree(base / "weights")
    shutil.rmtree(base / "data")
    return base / "run"


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "run")


def results_of(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def samples_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text("utf-8").split("\n") if line]


def test_a_run_whose_videos_and_weights_are_gone_is_scored_anew(
    original: Path, run: Path, sf_eval: Callable
) -> None:
    for name in ("samples.jsonl", "leaderboard.md", "profile.json"):
        (run / name).unlink()
    done = sf_eval("score", run)
    assert done.code == 0, done
    assert samples_of(run) == samples_of(original)
    again, before = results_of(run), results_of(original)
    assert again.pop("rescored")
    assert before.pop("rescored") is None
    assert again == before
    assert (run / "leaderboard.md").read_text() == (original / "leaderboard.md").read_text()
    assert (run / "profile.json").read_text() == (original / "profile.json").read_text()
    assert "replay of the answers agrees in 3 of 3 tasks" in done.out


ALL = ("Measured:", "Reported:", "FLOPs per question:", "Measured latency per question:")


def test_the_screen_has_the_answer_first_and_all_tables_only_where_asked(
    run: Path, sf_eval: Callable
) -> None:
    short = sf_eval("score", run).out
    first = f"{results_of(run)['model']['title']}, 4 frames: "
    assert (
        short.index(first)
        < short.index("Per question ")
        < short.index("Measured:")
        < short.index("Details in")
    )
    for title in ALL[1:]:
        assert title not in short
    assert all(name in short for name in ("leaderboard.md", "profile.md", "samples.jsonl", "results.json"))
    whole = sf_eval("score", run, "--tables").out
    for title in ALL:
        assert whole.count(title) == 1


def test_the_published_scorers_view_can_be_added_later(run: Path, sf_eval: Callable) -> None:
    assert results_of(run)["scoring"] == "sf-eval"
    assert "published" not in (run / "leaderboard.csv").read_text().splitlines()[1]
    assert sf_eval("score", run, "--scoring", "both").code == 0
    assert results_of(run)["scoring"] == "both"


def test_a_changed_answer_changes_the_score(run: Path, sf_eval: Callable) -> None:
    """What is scored is the journal: not what an earlier scoring made of it."""
    right = next(sample for sample in samples_of(run) if sample["outcome"] == "correct")
    kept = read_run(run)
    key, result = next((key, one) for key, one in kept.results.items() if str(key) == _key(right))
    digest = next(name for name, one in read_journal(run / "journal.jsonl").items() if one.key == key)
    with Journal(run / "journal.jsonl") as journal:
        from dataclasses import replace

        journal.append(digest, replace(result, text="I cannot tell."))
    assert sf_eval("score", run).code == 0
    again = next(sample for sample in samples_of(run) if _key(sample) == _key(right))
    assert (again["outcome"], again["output"]) == ("no_answer", "I cannot tell.")


def _key(sample: dict[str, Any]) -> str:
    return f"{sample['task']}/{sample['doc_id']}"


def test_a_killed_run_is_scored_as_far_as_it_came(run: Path, sf_eval: Callable) -> None:
    for name in ("results.json", "samples.jsonl"):
        (run / name).unlink()
    lines = (run / "journal.jsonl").read_bytes().split(b"\n")
    (run / "journal.jsonl").write_bytes(b"\n".join(lines[:5]) + b"\nhalf a li")
    assert sf_eval("score", run).code == 0
    results = results_of(run)
    assert results["complete"] is False
    assert (results["seconds"], results["memory"]) == (None, None)
    assert len(samples_of(run)) == 5


def test_results_are_not_replaced_by_those_of_fewer_answers(run: Path, sf_eval: Callable) -> None:
    before = (run / "samples.jsonl").read_bytes()
    lines = (run / "journal.jsonl").read_bytes().split(b"\n")
    (run / "journal.jsonl").write_bytes(b"\n".join(lines[:5]) + b"\n")
    done = sf_eval("score", run)
    assert done.code == 2
    assert "are of 12 questions, its journal now answers 5" in done.err
    assert (run / "samples.jsonl").read_bytes() == before


def test_a_comparison_names_its_runs(run: Path, sf_eval: Callable) -> None:
    state = json.loads((run / "run.json").read_text())
    state["plan"]["runs"] = {"mini": {}, "mini-16f": {}}
    (run / "run.json").write_text(json.dumps({**state, "facts": None}))
    done = sf_eval("score", run)
    assert done.code == 2
    assert f"is a comparison, not a run. Give its runs: {run / 'mini'} {run / 'mini-16f'}." in done.err


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda run: shutil.rmtree(run), "holds no run of sf-eval"),
        (lambda run: (run / "questions.jsonl").write_text("{}\n"), "questions.jsonl cannot be read"),
        (lambda run: (run / "journal.jsonl").unlink(), "journal.jsonl"),
        (lambda run: (run / "journal.jsonl").write_text(""), "nothing was answered"),
        (lambda run: (run / "run.json").write_text("{}"), "was not written by this version"),
    ],
)
def test_what_cannot_be_scored_is_one_line(
    run: Path, sf_eval: Callable, damage: Callable[[Path], object], said: str
) -> None:
    damage(run)
    done = sf_eval("score", run)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert said in done.err


def test_lmms_evals_own_logs_hold_every_answer(run: Path) -> None:
    (log,) = (run / "lmms_eval").rglob("*_samples_sf_videomme.jsonl")
    logged = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    own = [sample for sample in samples_of(run) if sample["task"] == "videomme"]
    assert [entry["filtered_resps"] for entry in logged] == [sample["output"] for sample in own]
    assert [entry["input"] for entry in logged] == [sample["prompt"] for sample in own]
    (results,) = (run / "lmms_eval").rglob("*_results.json")
    said = json.loads(results.read_text(encoding="utf-8"))["results"]["sf_videomme"]
    (task,) = [task for task in results_of(run)["tasks"] if task["task"] == "videomme"]
    assert said["accuracy,none"] == pytest.approx(task["micro"]["accuracy"])


def test_a_replay_that_disagrees_is_an_error_that_shows_both(run: Path) -> None:
    output = rescore(read_run(run))
    task = output.record.tasks[0]
    wrong = task.model_copy(update={"micro": task.micro.model_copy(update={"accuracy": 12.5})})
    record = output.record.model_copy(update={"tasks": [wrong, *output.record.tasks[1:]]})
    with pytest.raises(ReplayDisagreementError, match=r"videomme: ours 12.5% .* lmms-eval"):
        replay(RunOutput(output.folder, record, output.samples))
