"""`--measure` on the CPU: a complete report, and nothing invented where a stage cannot be measured."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from sf_eval.cli.profile import command
from sf_eval.core.cards import card_for
from sf_eval.profiler import measure as measuring
from sf_eval.profiler.measure import Settings, measure
from sf_eval.profiler.pipeline import Ask, Pipeline, compile_model, make_model
from sf_eval.profiler.profile import Request, subject_of
from sf_eval.profiler.rounds import STAGES
from sf_eval.profiler.rows import Question, Subject
from sf_eval.profiler.stopwatch import paired_ratio, quantile
from sf_eval.video import VideoError

QUICK = Settings(device="cpu", iterations=2, seconds=0, warmup=0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine take longer than the tiny model itself."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def request_for(*frames: int, new_tokens: int = 3) -> Request:
    return Request("mini", frames=frames, question=Question(text_tokens=30, new_tokens=new_tokens))


def test_complete_report_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sf_eval.profiler.plots.available", lambda: False)  # seconds that prove nothing here
    arguments = [
        "--model", "mini", "--frames", "2,4", "--text-tokens", "30", "--new-tokens", "3", "--no-trace",
        "--measure", "--device", "cpu", "--iterations", "2", "--seconds", "0", "--warmup", "1",
        "--batch-sizes", "1,2", "--output", str(tmp_path),
    ]  # fmt: skip
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for stage in STAGES:
        assert stage in result.output
    measured = json.loads((tmp_path / "profile.json").read_text())["measured"]
    assert [(run["model"], run["frames"], run["batch_size"]) for run in measured["runs"]] == [
        ("mini", 2, 1), ("mini", 4, 1), ("self-attention-only", 2, 1),
        ("mini", 2, 2), ("mini", 4, 2), ("self-attention-only", 2, 2),
    ]  # fmt: skip
    for run in measured["runs"]:
        assert set(run["stages"]) == set(STAGES)
        for samples in run["stages"].values():
            assert samples["n"] == len(samples["values"]) == 2
            assert min(samples["values"]) > 0
            assert samples["median"] <= samples["p90"] <= samples["p99"]
        assert run["memory"] == {"allocated_bytes": None, "reserved_bytes": None}
        assert run["achieved"]["vision"]["flops_per_s"] > 0
    assert {(ratio["frames"], ratio["against"]) for ratio in measured["ratios"]} == {
        (2, "self-attention-only"), (4, "self-attention-only"),
    }  # fmt: skip
    assert measured["peak"]["measured_flops"] > 0
    assert measured["peak"]["sheet_flops"] is None
    assert measured["memory"]["process_peak_bytes"] > 100 * 2**20
    page = (tmp_path / "profile.html").read_text()
    assert "Latency of mini" in page
    assert "where the time goes" in page


def test_what_cannot_be_measured_is_absent_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV there is nothing to decode; with one new token there is no decoding step."""
    monkeypatch.setattr(measuring, "can_render", lambda: False)
    run, *_ = measure(request_for(4, new_tokens=1), QUICK).runs
    assert set(run["not_measured"]) == {"video decode", "TTFT from file", "new token (TPOT)"}
    assert not set(run["not_measured"]) & set(run["stages"])
    assert "PyAV" in run["not_measured"]["video decode"]
    assert run["end_to_end_from"] == "frames in memory"
    assert "new token (TPOT)" not in run["achieved"]


def documented_gpu_command() -> list[str]:
    text = (Path(__file__).parents[2] / "docs" / "profiling.md").read_text()
    (command_line,) = re.findall(
        r"sf-eval profile (.*--random-weights(?:.*\\\n)*.*)", text.replace("\\\n", "")
    )
    return shlex.split(command_line)


def test_documented_gpu_command_runs_on_the_cpu_with_the_mini_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very flags for the 7B shape on a GPU, with small names and numbers in their place."""
    monkeypatch.setattr("sf_eval.profiler.plots.available", lambda: False)
    small = {
        "slowfast-7b-128f": "mini", "16,128": "2,4", "results/profile-7b": str(tmp_path),
        "self-attention-16f": "mini-self-attention:2",
    }  # fmt: skip
    arguments = [small.pop(word, word) for word in documented_gpu_command()]
    assert not small, "the documented command is another one"
    arguments += ["--device", "cpu", "--iterations", "2", "--seconds", "0", "--warmup", "0", "--no-trace"]
    arguments += ["--text-tokens", "30", "--new-tokens", "2"]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    measured = json.loads((tmp_path / "profile.json").read_text())["measured"]
    assert measured["environment"]["weights"] == "random"
    assert measured["environment"]["dtype"] == "bfloat16"
    assert [run["frames"] for run in measured["runs"]] == [2, 4, 2]
    assert all("end to end" in run["stages"] for run in measured["runs"])


def test_rounds_last_at_least_as_long_as_asked() -> None:
    settings = Settings(device="cpu", iterations=1, seconds=4, warmup=0)
    run, *_ = measure(request_for(2), settings).runs
    assert run["stages"]["end to end"]["n"] > 1


def test_video_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        measure(request_for(2), Settings(device="cpu", iterations=1, seconds=0, warmup=0, video=broken))


def test_another_size_is_told_and_left_out() -> None:
    against = ("mini-self-attention:2", "self-attention-16f")
    request = Request("mini", against=against, frames=(2,), question=Question(30, 2))
    measured = measure(request, QUICK)
    assert [run["model"] for run in measured.runs] == ["mini", "mini-self-attention"]
    assert any("self-attention-16f is not measured" in note for note in measured.notes)


def test_controls_trained_apart_are_measured_with_the_models_weights() -> None:
    """They have its size; that they have no hybrid layers is a slow path that is off."""
    request = Request("mini", against=("mini-16f:2", "mini-pooled:3"), frames=(4,), question=Question(30, 2))
    measured = measure(request, QUICK)
    assert [(run["model"], run["frames"]) for run in measured.runs] == [
        ("mini", 4), ("mini-16f", 2), ("mini-pooled", 3),
    ]  # fmt: skip
    assert not any("is not measured" in note for note in measured.notes)
    other_way = measure(
        Request("mini-16f", against=("mini:4",), frames=(2,), question=Question(30, 2)), QUICK
    )
    assert [run["model"] for run in other_way.runs] == ["mini-16f"]
    assert any("mini is not measured" in note for note in other_way.notes)


def test_compiling_covers_every_layer_of_a_deep_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """More layers than torch compiles versions of one function; beyond that it would run plain."""
    monkeypatch.setattr(torch._dynamo.config, "fail_on_recompile_limit_hit", True)
    config = {
        key: value for key, value in subject_of(card_for("mini")).config.items() if key != "layer_types"
    }
    subject = Subject("deep", "", {**config, "num_hidden_layers": 12}, 4)
    pipeline = Pipeline(
        make_model(subject.config, torch.device("cpu"), torch.float32, "sdpa"), torch.device("cpu")
    )
    ask = Ask(subject, 4, 1, prompt_tokens=20, new_tokens=4, video=None)
    pixels = torch.zeros(4, 3, pipeline.side, pipeline.side)
    with torch.no_grad():
        before, _ = pipeline.prefill(ask, pipeline.vision([pixels]))
        compile_model(pipeline.model, backend="eager")
        after, cache = pipeline.prefill(ask, pipeline.vision([pixels]))
        pipeline.decode_tokens(after, cache, 3)
    assert torch.equal(before, after)
    compiled = [module for module in pipeline.model.modules() if module._compiled_call_impl is not None]
    assert len(compiled) == 1 + 12 * 3, "the tower, and two norms and an MLP a layer"


def test_quantiles_and_paired_ratios_of_known_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([0, 10], 0.9) == pytest.approx(9)
    ratio = paired_ratio([2, 4, 8, 6], [1, 2, 4, 3])
    assert (ratio.median, ratio.low, ratio.high, ratio.n) == (2, 2, 2, 4)
    drifting = paired_ratio([1, 10, 100], [2, 20, 200])
    assert math.isclose(drifting.p10, 0.5)
    assert math.isclose(drifting.p90, 0.5)
