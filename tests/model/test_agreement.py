"""The recorded outputs of the published code, and what `verify` says of them and of damaged copies."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.core.paths import PACKAGE
from sf_eval.model.errors import RecordError
from sf_eval.verifying.model import RECORDED, TOLERANCES, run_recorded_cases

CASES = sorted(path.name for path in RECORDED.iterdir())


@pytest.fixture
def case(tmp_path: Path) -> Path:
    """A copy of one case, to be damaged."""
    return Path(shutil.copytree(RECORDED / "s1t4_f7_ragged", tmp_path / "case"))


@pytest.fixture(scope="module")
def results():
    return {result.name: result for result in run_recorded_cases()}


def test_there_are_cases() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("name", CASES)
def test_case_agrees_in_float32(name: str, results) -> None:
    result = results[name]
    assert result.passed
    assert max(result.differences.values()) < 1e-4
    assert set(result.differences) == (
        {"prefill_logits"}
        if name == "text_only"
        else {"fast_tokens", "slow_tokens", "inputs_embeds", "prefill_logits"}
    )
    assert result.greedy_equal is (None if name in ("text_only", "batch2_right_pad") else True)


@pytest.mark.parametrize("name", ["batch2_left_pad", "masksystem"])
def test_eager_agrees_too(name: str) -> None:
    (result,) = run_recorded_cases([RECORDED / name], attn="eager")
    assert result.passed
    assert result.greedy_equal


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_has_its_own_tolerance(dtype: torch.dtype) -> None:
    (result,) = run_recorded_cases([RECORDED / "s1t4_f7_ragged"], dtype=dtype)
    assert result.passed
    assert 1e-4 < max(result.differences.values()) < TOLERANCES[dtype]


def test_a_changed_weight_is_found(case: Path) -> None:
    weights = load_file(case / "model.safetensors")
    weights["model.layers.2.self_attn.cross_attn_kv_proj.weight"] += 0.05
    save_file(weights, case / "model.safetensors")
    (result,) = run_recorded_cases([case])
    assert not result.passed
    assert result.differences["fast_tokens"] < 1e-4 < result.differences["prefill_logits"]


def test_other_greedy_ids_are_found(case: Path) -> None:
    record = load_file(case / "record.safetensors")
    record["greedy_ids"] = (record["greedy_ids"] + 1) % 200
    save_file(record, case / "record.safetensors")
    (result,) = run_recorded_cases([case])
    assert result.greedy_equal is False
    assert not result.passed


def test_a_looser_tolerance_can_be_given(case: Path) -> None:
    record = load_file(case / "record.safetensors")
    record["prefill_logits"] += 0.01
    save_file(record, case / "record.safetensors")
    assert not run_recorded_cases([case])[0].passed
    assert run_recorded_cases([case], tolerance=0.02)[0].passed


def test_not_a_number_never_passes(case: Path) -> None:
    record = load_file(case / "record.safetensors")
    record["slow_tokens.0"][0, 0] = float("nan")
    save_file(record, case / "record.safetensors")
    assert not run_recorded_cases([case], tolerance=1e9)[0].passed


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _drop(key: str):
    def change(case: Path) -> None:
        record = load_file(case / "record.safetensors")
        del record[key]
        save_file(record, case / "record.safetensors")

    return change


def _replace(key: str, value: torch.Tensor):
    def change(case: Path) -> None:
        record = load_file(case / "record.safetensors")
        record[key] = value
        save_file(record, case / "record.safetensors")

    return change


@pytest.mark.parametrize(
    ("damage", "error", "named"),
    [
        (lambda case: (case / "record.safetensors").unlink(), RecordError, "record.safetensors"),
        (lambda case: (case / "config.json").unlink(), CheckpointError, "config.json"),
        (lambda case: (case / "model.safetensors").unlink(), CheckpointError, "model.safetensors"),
        (lambda case: _cut(case / "record.safetensors"), RecordError, "record.safetensors"),
        (lambda case: _cut(case / "model.safetensors"), CheckpointError, "model.safetensors"),
        (lambda case: (case / "config.json").write_text("{"), CheckpointError, "not JSON"),
        (_drop("prefill_logits"), RecordError, "prefill_logits"),
        (_replace("prefill_logits", torch.zeros(1, 3, 200)), RecordError, "prefill_logits"),
        (_replace("fast_tokens.0", torch.zeros(5, 64)), RecordError, "fast_tokens.0"),
        (_replace("input_ids", torch.zeros(1, 11)), RecordError, "input_ids"),
        (_replace("input_ids", torch.full((1, 11), 5000)), RecordError, "5000"),
        (_replace("embeds_mask", torch.ones(1, 3, dtype=torch.long)), RecordError, "embeds_mask"),
    ],
)
def test_a_damaged_case_is_a_named_error(case: Path, damage, error, named: str) -> None:
    damage(case)
    with pytest.raises(error, match=named):
        run_recorded_cases([case])


def test_a_directory_without_cases_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recorded case"):
        run_recorded_cases([tmp_path])


def test_a_device_that_is_not_here_is_said() -> None:
    with pytest.raises(UsageError, match="cuda:99"):
        run_recorded_cases(device="cuda:99")


def test_the_config_of_a_case_is_read_as_published() -> None:
    for name in CASES:
        assert (
            json.loads((RECORDED / name / "config.json").read_text())["model_type"] == "llava_qwen_slow_fast"
        )
    assert PACKAGE in RECORDED.parents
