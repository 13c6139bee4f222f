"""`sf-eval run` as a newcomer meets it: the mini model on the mini benchmarks, through lmms-eval."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sf_eval.cli.main import _run
from sf_eval.core.paths import PACKAGE
from sf_eval.harness.record import RunRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.scoring.answers.reading import Rule

LIMIT = 6
MINI = PACKAGE / "assets" / "mini"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run of two benchmarks, looked at by most tests below."""
    folder = tmp_path_factory.mktemp("run") / "output"
    code = _run(
        ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme,mlvu", "--limit", str(LIMIT),
         "--batch-size", "2", "--output", str(folder)]
    )  # fmt: skip
    assert code == 0
    return folder


def samples_of(folder: Path) -> list[SampleRecord]:
    lines = (folder / "samples.jsonl").read_text().splitlines()
    return [SampleRecord.model_validate_json(line) for line in lines]


def record_of(folder: Path) -> RunRecord:
    return RunRecord.model_validate_json((folder / "results.json").read_text())


def answers(folder: Path) -> dict[tuple[str, int], str | None]:
    return {(sample.task, sample.doc_id): sample.output for sample in samples_of(folder)}


def test_every_file_is_written_and_fits_its_schema(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {
        "results.json", "samples.jsonl", "leaderboard.md", "leaderboard.csv", "profile.json", "profile.md"
    } <= names  # fmt: skip
    record = record_of(run)
    assert record.schema_version == 3
    assert record.complete
    assert [task.task for task in record.tasks] == ["videomme", "mlvu"]
    assert not record.model.untrained
    assert len(record.model.weights_digest) == 64
    assert record.command[0] == "sf-eval"
    assert {"torch", "transformers", "lmms-eval", "av"} <= set(record.versions)


def test_the_limit_is_per_task_and_counts_add_up(run: Path) -> None:
    record = record_of(run)
    for task in record.tasks:
        assert task.questions_asked == LIMIT < task.questions_total
        score = task.micro
        assert score.n == score.correct + score.wrong + score.no_answer == LIMIT
        assert score.coverage == 100
        assert score.accuracy == pytest.approx(100 * score.correct / score.n)


def test_samples_say_what_was_asked_and_answered(run: Path) -> None:
    samples = samples_of(run)
    assert len(samples) == 2 * LIMIT
    for sample in samples:
        assert sample.prompt.startswith("Select the best answer")
        assert sample.outcome in ("correct", "wrong", "no_answer")
        assert (sample.outcome == "correct") == (sample.answer is not None and sample.answer == sample.target)
        assert (sample.answer_rule is None) == (sample.answer is None)
        assert sample.answer_rule in {None, *(rule.value for rule in Rule)}
        assert (sample.answer_frame, sample.output_truncated) == ("plain", False)
        assert all([sample.num_frames, sample.prompt_tokens, sample.fast_tokens, sample.new_tokens])
        assert sample.timings is not None
        assert sample.timings["batch_size"] == 2
    assert len({sample.video for sample in samples if sample.task == "videomme"}) < LIMIT


REPORTS = ("leaderboard.md", "leaderboard.csv", "profile.json", "profile.md")


def test_the_mini_edition_is_named_everywhere_and_trained_weights_are_not_called_untrained(
    run: Path,
) -> None:
    for name in ("results.json", *REPORTS):
        assert "mini edition" in (run / name).read_text(), name
    for name in REPORTS:
        assert "untrained" not in (run / name).read_text(), name


def test_untrained_weights_are_named_everywhere(sf_eval: Callable, tmp_path: Path) -> None:
    """A user's own weights, whose card says that they are random; its title does not."""
    checkpoint = shutil.copytree(MINI, tmp_path / "checkpoint")
    (checkpoint / "sf_eval_card.yaml").write_text("title: My model\nuntrained: true\nnum_frames: 4\n")
    folder = tmp_path / "run"
    done = sf_eval(
        "run", "--model", checkpoint, "--data", "mini", "--tasks", "videomme", "--limit", "2",
        "--output", folder,
    )  # fmt: skip
    assert done.code == 0, done
    assert "My model, 4 frames, untrained" in done.out
    assert "weights are untrained" in done.out
    assert record_of(folder).model.untrained
    for name in REPORTS:
        assert "untrained" in (folder / name).read_text(), name
        assert "mini edition" in (folder / name).read_text(), name


def test_the_leaderboard_tells_measured_from_reported(run: Path) -> None:
    rows = list(csv.DictReader((run / "leaderboard.csv").read_text().splitlines()))
    measured = [row for row in rows if row["kind"] == "measured"]
    reported = {
        (row["model"], row["frames"], row["benchmark"]): row["accuracy"]
        for row in rows
        if row["kind"] == "reported"
    }
    assert {row["benchmark"] for row in measured} == {"videomme", "mlvu"}
    assert all(row["source"] == "this run" and row["coverage"] == "100.0" for row in measured)
    assert reported["Slow-Fast Video MLLM 7B", "64", "videomme"] == "60.2"
    assert reported["Slow-Fast Video MLLM 7B", "64", "mlvu"] == "67.3"


def test_the_profile_has_the_model_its_baselines_and_every_stage(run: Path) -> None:
    profile: dict[str, Any] = json.loads((run / "profile.json").read_text())
    overall = {row["who"]: row["flops"] for row in profile["flops"] if row["group"] == "all"}
    assert set(overall) == {"model", "same_budget", "same_frames"}
    model = overall["model"]
    parts = ("vision_flops", "projector_flops", "pooling_flops", "prefill_flops", "decode_flops")
    assert sum(model[part] for part in parts) == pytest.approx(model["total_flops"])
    assert model["cross_attention_flops"] > 0 == overall["same_budget"]["cross_attention_flops"]
    assert overall["same_budget"]["total_flops"] < model["total_flops"]
    for stage in ("decode_s", "preprocess_s", "vision_s", "prefill_s", "generate_s"):
        assert profile["latency"][stage]["n"] == 2 * LIMIT
        assert profile["latency"][stage]["median"] > 0
    assert profile["memory"]["device_allocated_peak_bytes"] is None
    assert profile["memory"]["process_peak_bytes"] > 0


def test_the_batch_size_does_not_change_an_answer(run: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    args = [
        "run",
        "--model",
        "mini",
        "--data",
        "mini",
        "--tasks",
        "mlvu",
        "--limit",
        str(LIMIT),
        "--output",
        str(again),
    ]
    assert _run(args) == 0
    first = {key: text for key, text in answers(run).items() if key[0] == "mlvu"}
    assert answers(again) == first


def test_the_baseline_is_the_same_model_without_the_slow_path(run: Path, tmp_path: Path) -> None:
    """MLVU's videos are long: its questions are not answered alike by fast tokens alone."""
    baseline = tmp_path / "baseline"
    args = [
        "run", "--model", "mini-self-attention", "--data", "mini", "--tasks", "mlvu",
        "--limit", str(LIMIT), "--output", str(baseline),
    ]  # fmt: skip
    assert _run(args) == 0
    assert record_of(baseline).model.slow_path == "off"
    assert record_of(baseline).model.weights_digest == record_of(run).model.weights_digest
    profile = json.loads((baseline / "profile.json").read_text())
    overall = {row["who"]: row["flops"] for row in profile["flops"] if row["group"] == "all"}
    assert overall["model"]["cross_attention_flops"] == 0
    own = answers(baseline)
    assert len(own) == LIMIT
    assert any(own[key] != text for key, text in answers(run).items() if key in own)


def test_fewer_frames_are_fewer_tokens(run: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    args = ["run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--limit", "1"]
    assert _run([*args, "--num-frames", "4", "--output", str(few)]) == 0
    (sample,) = samples_of(few)
    assert sample.num_frames == 4
    before = samples_of(run)[0].slow_tokens
    assert before is not None
    assert sample.slow_tokens is not None
    assert sample.slow_tokens < before
