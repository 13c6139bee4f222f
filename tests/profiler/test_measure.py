"""`--measure` on the CPU: a complete report, and nothing invented where a stage cannot be measured."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch._dynamo.utils import counters

from sf_eval.cli.profile import command
from sf_eval.core.errors import UsageError
from sf_eval.inference.compiled import compiled as compiled_modules
from sf_eval.inference.families.slow_fast import parts_to_compile
from sf_eval.model import VIDEO_TOKEN_ID, SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.profiler import DecodeVariant
from sf_eval.profiler.measured import measure as measuring
from sf_eval.profiler.measured.measure import Settings, measure
from sf_eval.profiler.measured.stages import stages_of
from sf_eval.profiler.measured.stopwatch import Ratio, paired_ratio, quantile, supported_quantile
from sf_eval.profiler.profile import Request
from sf_eval.profiler.rows import Question
from sf_eval.report.profile.measured_tables import measured_tables
from sf_eval.video import VideoError

from .shapes import tiny

QUICK = Settings(device="cpu", iterations=2, seconds=0, warmup=0)


def request_for(*frames: int, new_tokens: int = 3) -> Request:
    return Request("mini", frames=frames, question=Question(text_tokens=30, new_tokens=new_tokens))


def test_complete_report_on_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "sf_eval.report.profile.plots.available", lambda: False
    )  # seconds that prove nothing here
    arguments = [
        "--model", "mini", "--frames", "2,4", "--text-tokens", "30", "--new-tokens", "3", "--no-trace",
        "--measure", "--device", "cpu", "--iterations", "2", "--seconds", "0", "--warmup", "1",
        "--batch-sizes", "1,2", "--output", str(tmp_path),
    ]  # fmt: skip
    result = CliRunner().invoke(command, arguments, catch_exceptions=False, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    for stage in (*stages_of(shared=False), *stages_of(shared=True)):
        assert stage in result.output
    measured = json.loads((tmp_path / "profile.json").read_text())["measured"]
    runs = measured["runs"]
    assert [(run["model"], run["frames"], run["batch_size"], run["shared"]) for run in runs] == [
        ("mini", 2, 1, False), ("mini", 4, 1, False), ("self-attention-only", 2, 1, False),
        ("mini", 2, 2, False), ("mini", 4, 2, False), ("mini", 2, 2, True), ("mini", 4, 2, True),
        ("self-attention-only", 2, 2, False), ("self-attention-only", 2, 2, True),
    ]  # fmt: skip
    for run in runs:
        assert set(run["stages"]) == set(stages_of(shared=run["shared"]))
        assert run["videos"] == (1 if run["shared"] else run["batch_size"])
        for samples in run["stages"].values():
            assert samples["n"] == len(samples["values"]) == 2
            assert min(samples["values"]) > 0
            assert samples["min"] <= samples["median"] <= samples["max"]
            assert samples["p90"] is samples["p99"] is None  # two rounds have neither
        assert run["memory"] == {"allocated_bytes": None, "reserved_bytes": None}
        for rate in run["achieved"].values():
            assert 0 < rate["share_of_measured_peak"] < 1
            assert rate["share_of_measured_bandwidth"] > 0
        assert {"vision", "new token (TPOT)"} < set(run["achieved"])
    assert {(each["frames"], each["against"], each["shared"]) for each in measured["ratios"]} == {
        (2, "self-attention-only", False), (4, "self-attention-only", False),
        (2, "self-attention-only", True), (4, "self-attention-only", True),
        (2, "mini", True), (4, "mini", True),
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
    assert set(run["not_measured"]) == {
        "video decode", "from the decoder's process", "TTFT from file", "new token (TPOT)",
    }  # fmt: skip
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


@pytest.mark.thorough
def test_documented_gpu_command_runs_on_the_cpu_with_the_mini_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The very flags for the 7B shape on a GPU, with small names and numbers in their place."""
    monkeypatch.setattr("sf_eval.report.profile.plots.available", lambda: False)
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


@pytest.mark.thorough
def test_rounds_last_at_least_as_long_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "can_render", lambda: False)  # a decoder's start may take seconds
    settings = Settings(device="cpu", iterations=1, seconds=4, warmup=0)
    run, *_ = measure(request_for(2), settings).runs
    assert run["stages"]["end to end"]["n"] > 1


def test_video_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        measure(request_for(2), Settings(device="cpu", iterations=1, seconds=0, warmup=0, video=broken))


@pytest.mark.thorough
def test_another_size_is_told_and_left_out() -> None:
    against = ("mini-self-attention:2", "self-attention-16f")
    request = Request("mini", against=against, frames=(2,), question=Question(30, 2))
    measured = measure(request, QUICK)
    assert [run["model"] for run in measured.runs] == ["mini", "mini-self-attention"]
    assert any("self-attention-16f is not measured" in note for note in measured.notes)


@pytest.mark.thorough
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


def test_quantiles_and_paired_ratios_of_known_values() -> None:
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([0, 10], 0.9) == pytest.approx(9)
    ratio = paired_ratio([2, 4, 8, 6], [1, 2, 4, 3])
    assert (ratio.median, ratio.least, ratio.most, ratio.n) == (2, 2, 2, 4)
    assert (ratio.low, ratio.high, ratio.p10, ratio.p90) == (None, None, None, None)
    drifting = paired_ratio([10**n for n in range(10)], [2 * 10**n for n in range(10)])
    assert drifting == Ratio(0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, n=10)


def test_quantiles_are_given_where_there_are_values_enough() -> None:
    values = list(range(100))
    assert supported_quantile(values[:9], 0.9) is None
    assert supported_quantile(values[:10], 0.9) == pytest.approx(8.1)
    assert supported_quantile(values[:10], 0.1) == pytest.approx(0.9)
    assert supported_quantile(values[:99], 0.99) is None
    assert supported_quantile(values, 0.99) == pytest.approx(98.01)


@pytest.fixture
def deep() -> SlowFastForConditionalGeneration:
    """Nine layers: one more than the graphs that dynamo keeps for one function."""
    torch.manual_seed(0)
    return SlowFastForConditionalGeneration(SlowFastConfig(**tiny(num_hidden_layers=9))).eval()


def first_two_tokens(model: SlowFastForConditionalGeneration) -> torch.Tensor:
    """Logits of a prefill and of a decoding step."""
    with torch.no_grad():
        features = model.encode_video(torch.linspace(-1, 1, 4 * 3 * 128 * 128).view(4, 3, 128, 128))
        ids = torch.tensor([[1, 2, VIDEO_TOKEN_ID, 3, 4, 5]])
        prefill = model(input_ids=ids, video_features=[features], use_cache=True, logits_to_keep=1)
        step = model(input_ids=torch.tensor([[7]]), past_key_values=prefill.past_key_values, logits_to_keep=1)
    return torch.cat([prefill.logits, step.logits])


@pytest.mark.thorough
def test_every_layer_is_compiled_for_prefill_and_decoding(deep: SlowFastForConditionalGeneration) -> None:
    plain = first_two_tokens(deep)
    counters.clear()
    with compiled_modules(parts_to_compile(deep), backend="eager") as compiled:
        answer = first_two_tokens(deep)
        compiled.check()
    torch.testing.assert_close(answer, plain)
    layers = [f"decoder layer {index}" for index in range(9)]
    assert compiled.graphs == Counter({"vision tower": 1, **dict.fromkeys(layers, 2)})
    assert compiled.layers == 9
    assert counters["stats"]["unique_graphs"] == compiled.graphs.total()
    assert not counters["unimplemented"]  # where dynamo books a limit that was hit
    assert not counters["graph_break"]
    assert not [name for name, part in deep.named_modules() if "forward" in vars(part)], "left behind"


@pytest.mark.thorough
def test_what_is_not_compiled_is_not_called_so(
    deep: SlowFastForConditionalGeneration, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        print("a graph break")
        return hidden

    monkeypatch.setattr(type(deep.model.layers[0].mlp), "forward", breaks)
    with (
        pytest.raises(UsageError, match="--compile"),
        compiled_modules(parts_to_compile(deep), backend="eager"),
    ):
        first_two_tokens(deep)
    with (
        pytest.raises(UsageError, match="10 of 10 parts"),
        compiled_modules(parts_to_compile(deep), backend="eager") as compiled,
    ):
        compiled.check()


@pytest.mark.thorough
def test_compile_measures_a_model_all_of_which_is_compiled(tmp_path: Path) -> None:
    config = tiny(num_hidden_layers=2, num_frames=2, model_type="llava_qwen_slow_fast")
    (tmp_path / "config.json").write_text(json.dumps(config))
    settings = replace(QUICK, compiled=True, backend="eager", random_weights=True)
    measured = measure(Request(str(tmp_path), frames=(2,), question=Question(30, 2)), settings)
    assert measured.environment["compiled_layers"] == 2
    assert measured.compile_s is not None
    (table, *_) = measured_tables(measured.to_json())
    assert any("vision tower and all 2 decoder layers compiled" in note for note in table.notes)


def test_a_prompt_beyond_the_context_is_told_and_left_out() -> None:
    request = Request("mini", against=("mini-self-attention:2",), frames=(2,), question=Question(4096, 2))
    with pytest.raises(UsageError, match="context of 4,096"):
        measure(request, QUICK)


@pytest.mark.thorough
def test_decoding_is_measured_as_asked() -> None:
    """`published` cannot be: nobody here projects the slow tokens again at every step."""
    question = Question(30, 3, decode=DecodeVariant.PUBLISHED)
    measured = measure(Request("mini", frames=(2,), question=question), QUICK)
    assert any("cached, not projected at every step" in note for note in measured.notes)
    cached = measure(Request("mini", frames=(2,), question=Question(30, 3)), QUICK)
    without = measure(
        Request("mini", frames=(2,), question=Question(30, 3, decode=DecodeVariant.WITHOUT)), QUICK
    )
    flops = [run.runs[0]["achieved"]["new token (TPOT)"]["flops"] for run in (measured, cached, without)]
    assert flops[0] == flops[1] > flops[2]
