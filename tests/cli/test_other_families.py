"""`sf-eval run` with other people's models: the same tables, typed failures, a journal to go on with."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from loopback_endpoint import MODEL, serving
from tiny_checkpoints import FAMILIES, make_checkpoint
from transformers import AutoModelForImageTextToText

from sf_eval.harness.record import RunRecord
from sf_eval.model.attach import attach_slow_path, save_slow_path

RUN = ("run", "--data", "mini", "--tasks", "videomme", "--limit", "2", "--num-frames", "4")
KEY = "sk-a-secret-of-the-test"


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("checkpoints")
    return {family: make_checkpoint(family, folder / family) for family in (*FAMILIES, "generic")}


def record_of(folder: Path) -> RunRecord:
    return RunRecord.model_validate_json((folder / "results.json").read_text())


def samples_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def attached(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slow path alone, for the checkpoint that it names."""
    base = AutoModelForImageTextToText.from_pretrained(checkpoints["qwen3_vl"])
    folder = tmp_path_factory.mktemp("slow") / "attached"
    save_slow_path(attach_slow_path(base, layers=[0, 2], temporal_stride=2, spatial_stride=1), folder)
    return folder


@pytest.fixture(scope="module")
def pooled(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same checkpoint with a card that pools its tokens: the control of the attached one."""
    folder = tmp_path_factory.mktemp("control") / "pooled"
    shutil.copytree(checkpoints["qwen3_vl"], folder)
    (folder / "sf_eval_card.yaml").write_text(
        "title: pooled\nfamily: qwen3_vl\nsampling: family\nslow_path: 'off'\n"
        "options: {temporal_stride: 2, spatial_stride: 1}\n"
    )
    return folder


@pytest.mark.parametrize(
    "families",
    [
        pytest.param(("qwen3_vl", "generic"), id="two"),
        pytest.param((*FAMILIES, "generic"), id="all", marks=pytest.mark.thorough),
    ],
)
def test_other_families_and_ours_stand_in_one_comparison(
    sf_eval: Callable,
    checkpoints: dict[str, Path],
    pooled: Path,
    attached: Path,
    tmp_path: Path,
    families: tuple[str, ...],
) -> None:
    """Plain, pooled, attached and slow-fast models: one table, one journal each, FLOPs where known."""
    models = ",".join(map(str, [*(checkpoints[family] for family in families), pooled, attached, "mini"]))
    command = (*RUN, "--model", models, "--max-new-tokens", "4", "--output", tmp_path / "all")
    done = sf_eval(*command)
    assert done.code == 0, done.err
    for family in families:
        record = record_of(tmp_path / "all" / family)
        assert record.complete
        assert (record.model.family, record.model.closed_form, record.model.slow_path) == (
            family, False, "off",
        )  # fmt: skip
        assert record.model.sampling == "family"
        assert all(sample["num_frames"] == 4 for sample in samples_of(tmp_path / "all" / family))
        told = (tmp_path / "all" / family / "profile.md").read_text()
        assert ("not counted" in told) == (family == "generic")
        assert record.memory is not None
        assert (record.memory.forecast_bytes is None) == (family == "generic")
        assert family in done.out
    assert record_of(tmp_path / "all" / "mini").model.family == "slow_fast"
    assert record_of(tmp_path / "all" / "pooled").model.slow_path == "off"
    assert record_of(tmp_path / "all" / "attached").model.slow_path == "on"
    answers = {
        name: [sample["output"] for sample in samples_of(tmp_path / "all" / name)]
        for name in ("pooled", "attached")
    }
    assert answers["pooled"] == answers["attached"], "gates are shut at first"
    assert any("nothing is shared" in note for note in record_of(tmp_path / "all" / "generic").notes)
    comparison = json.loads((tmp_path / "all" / "comparison.json").read_text())
    costs = {run["model"]: run["cost"] for run in comparison["runs"]}
    assert costs["generic"]["total_flops"] is None
    assert costs["generic"]["latency_s"] > 0
    assert all(cost["total_flops"] > 0 for name, cost in costs.items() if name != "generic")
    assert costs["pooled"]["prefill_flops"] < costs["attached"]["prefill_flops"]
    community = {run["model"]: run["community"] for run in comparison["runs"]}
    assert community["qwen3_vl"]["retained"] == 100
    assert community["qwen3_vl"]["total_flops"] == costs["qwen3_vl"]["total_flops"]
    assert community["pooled"]["retained"] == community["attached"]["retained"] == 50


def test_a_run_of_another_family_is_gone_on_with(
    sf_eval: Callable, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    command = (
        *RUN,
        "--model",
        checkpoints["internvl"],
        "--output",
        tmp_path / "run",
        "--max-new-tokens",
        "2",
    )
    assert sf_eval(*command).code == 0
    before = samples_of(tmp_path / "run")
    journal = (tmp_path / "run" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "run" / "journal.jsonl").write_bytes(b"".join(journal[:-1]))
    assert sf_eval(*command).code == 0
    assert record_of(tmp_path / "run").resumed == 1
    after = samples_of(tmp_path / "run")
    assert [sample["output"] for sample in after] == [sample["output"] for sample in before]
    other = sf_eval(*command, "--slow-path", "on")
    assert other.code == 2
    assert "has no slow path" in other.err


def test_a_dry_run_tells_what_is_known(
    sf_eval: Callable, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    model = checkpoints["qwen2_5_vl"]
    dry = sf_eval(*RUN, "--model", model, "--dry-run")
    assert dry.code == 0, dry.err
    assert "FLOP" in dry.out
    assert "not counted" not in dry.out
    (model.parent / "other").mkdir(exist_ok=True)
    (model.parent / "other" / "config.json").write_text('{"model_type": "llama"}')
    refused = sf_eval(*RUN, "--model", model.parent / "other")
    assert refused.code == 2
    assert "'llama'" in refused.err


def test_what_cannot_be_read_of_a_checkpoint_is_one_line(
    sf_eval: Callable, checkpoints: dict[str, Path], attached: Path, tmp_path: Path
) -> None:
    mute = Path(shutil.copytree(checkpoints["qwen3_vl"], tmp_path / "mute"))
    (mute / "processor_config.json").write_text("{")
    doctor = sf_eval("doctor", "--tasks", "egoschema_subset", "--data", "mini", "--model", mute)
    assert doctor.code == 2
    assert f"the processor in {mute} cannot be loaded" in doctor.err
    assert "no closed form" not in doctor.out
    damaged = Path(shutil.copytree(attached, tmp_path / "damaged"))
    record = json.loads((damaged / "slow_path.json").read_text())
    (damaged / "slow_path.json").write_text(json.dumps({**record, "spatial_stride": "two"}))
    dry = sf_eval(*RUN, "--model", damaged, "--dry-run")
    assert dry.code == 2
    assert f"{damaged / 'slow_path.json'}: spatial_stride: " in dry.err
    assert "Traceback" not in doctor.err + dry.err


def test_an_endpoint_is_asked_and_the_key_is_nowhere(
    sf_eval: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving() as server:
        command = (*RUN, "--model", f"openai:{MODEL}", "--base-url", server.url, "--output", tmp_path / "run")
        server.misdeeds.extend(["wordless", "busy", "cut"])
        first = sf_eval(*command)
        assert first.code == 1, first.err
        outcomes = sorted(sample["outcome"] for sample in samples_of(tmp_path / "run"))
        assert outcomes.count("model_error") == 1
        asked = len(server.sent)
        again = sf_eval(*command)
        assert again.code == 0, again.err
        assert len(server.sent) == asked + 1
        record = record_of(tmp_path / "run")
        assert (record.resumed, record.model.options["base_url"]) == (1, server.url)
        assert all(sample["prompt_tokens"] == 321 for sample in samples_of(tmp_path / "run"))
        server.always = "locked"
        refused = sf_eval(*RUN, *command[len(RUN) : -1], tmp_path / "other")
        assert refused.code != 0
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not any(KEY.encode() in data for data in written)
    assert KEY not in first.out + first.err + refused.out + refused.err
    unused = sf_eval(*RUN, "--model", "mini", "--base-url", "http://localhost:1/v1")
    assert unused.code == 2
    assert os.environ["OPENAI_API_KEY"] == KEY
