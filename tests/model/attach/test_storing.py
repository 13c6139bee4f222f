"""A slow path is saved without its base, and goes back to that base alone."""

from __future__ import annotations

import json

import pytest
import torch
from tiny_families import FAMILIES, STRIDES, open_gates, tiny_model
from transformers import AutoModelForImageTextToText

from sf_eval.core.errors import CheckpointError
from sf_eval.core.paths import PACKAGE
from sf_eval.model import attach_slow_path, load_slow_path, save_slow_path
from sf_eval.model.attach import has_slow_path, slow_fast_inputs
from sf_eval.model.attach.saving import SlowPathRecord
from sf_eval.model.errors import SlowPathError


def test_loaded_again_it_computes_the_same(family, opened, tmp_path):
    save_slow_path(opened, tmp_path)
    again = load_slow_path(tiny_model(family), tmp_path)
    assert again.slow_path == opened.slow_path
    pixels = FAMILIES[family].batch()
    inputs = [slow_fast_inputs(model, dict(pixels)) for model in (opened, again)]
    assert torch.equal(opened(**inputs[0]).logits, again(**inputs[1]).logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_base_in_bfloat16_is_known_in_whatever_dtype_it_is_loaded(tmp_path, dtype):
    model = attach_slow_path(tiny_model("internvl", torch.bfloat16), **STRIDES)
    save_slow_path(model, tmp_path)
    assert has_slow_path(load_slow_path(tiny_model("internvl", torch.bfloat16).to(dtype), tmp_path))


def test_another_base_is_refused(qwen, tmp_path):
    save_slow_path(qwen, tmp_path)
    other = tiny_model("qwen2.5-vl")
    with torch.no_grad():
        other.model.language_model.layers[2].self_attn.k_proj.weight[0, 0] += 1
    with pytest.raises(CheckpointError, match="was trained on another base model than this one"):
        load_slow_path(other, tmp_path)
    assert not has_slow_path(other)
    with pytest.raises(CheckpointError, match="belongs to a Qwen2_5_VLForConditionalGeneration"):
        load_slow_path(tiny_model("internvl"), tmp_path)
    with pytest.raises(SlowPathError, match="has a slow path already"):
        load_slow_path(qwen, tmp_path)


def test_damaged_files_are_refused(qwen, tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no slow_path\.json"):
        load_slow_path(tiny_model("qwen2.5-vl"), tmp_path)
    save_slow_path(qwen, tmp_path)
    weights, record = tmp_path / "slow_path.safetensors", tmp_path / "slow_path.json"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    with pytest.raises(CheckpointError, match="damaged, or replaced"):
        load_slow_path(tiny_model("qwen2.5-vl"), tmp_path)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"lacks slow_path\.safetensors"):
        load_slow_path(tiny_model("qwen2.5-vl"), tmp_path)
    weights.write_bytes(whole)
    said = json.loads(record.read_text())
    for change, reason in (({"rope": "none"}, "rope"), ({"schema_version": 2}, "schema_version")):
        record.write_text(json.dumps({**said, **change}))
        with pytest.raises(CheckpointError, match=reason):
            load_slow_path(tiny_model("qwen2.5-vl"), tmp_path)


def test_save_pretrained_keeps_base_and_slow_path_apart(tmp_path):
    """The base loads as its own class alone, nothing unexpected in it; the slow path goes on top."""
    model = attach_slow_path(tiny_model("qwen2.5-vl"), **STRIDES)
    open_gates(model)
    model.save_pretrained(tmp_path)
    base, info = AutoModelForImageTextToText.from_pretrained(
        tmp_path, output_loading_info=True, local_files_only=True, dtype=torch.float32
    )
    assert not info["unexpected_keys"]
    assert not info["missing_keys"]
    again = load_slow_path(base.eval(), tmp_path)
    inputs = slow_fast_inputs(model, FAMILIES["qwen2.5-vl"].batch())
    logits = model(**inputs).logits
    assert torch.equal(again(**inputs).logits, logits)
    assert json.loads((tmp_path / "slow_path.json").read_text())["schema_version"] == 1


def test_a_class_that_fsdp_put_over_the_models_own_is_not_taken_for_it(qwen, tmp_path):
    from torch.distributed.fsdp import FSDPModule

    plain = tiny_model("qwen2.5-vl")
    name, cls = type(plain).__name__, type(qwen)
    qwen.__class__ = type(f"FSDP{name}", (FSDPModule, cls), {})
    save_slow_path(qwen, tmp_path)
    assert has_slow_path(load_slow_path(plain, tmp_path))


def test_the_record_is_described():
    schema = json.loads((PACKAGE.parent / "docs/schemas/slow_path.schema.json").read_text())
    assert schema == json.loads(json.dumps(SlowPathRecord.model_json_schema()))


def test_a_slow_path_inside_an_adapter_is_not_saved_by_halves(qwen, tmp_path):
    peft = pytest.importorskip("peft")
    wrapped = peft.get_peft_model(qwen, peft.LoraConfig(target_modules=["slow_kv_proj"], r=2))
    with pytest.raises(SlowPathError, match="Merge it first"):
        save_slow_path(wrapped, tmp_path)
    assert not (tmp_path / "slow_path.json").exists()
