"""What `from_pretrained` is asked is done, or said; what a config.json holds works, or is one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from sf_eval.core.cards import card_for
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.model import SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.checkpoint import config_from
from sf_eval.model.loading import load_model

load = SlowFastForConditionalGeneration.from_pretrained


@pytest.fixture
def published(mini_directory: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((mini_directory / "config.json").read_text())
    return values


@pytest.mark.parametrize("key", ["dtype", "torch_dtype"])
@pytest.mark.parametrize("value", [torch.bfloat16, "bfloat16", "torch.bfloat16"])
def test_a_dtype_by_either_name(mini_directory: Path, key: str, value: object) -> None:
    assert load(mini_directory, **{key: value}).dtype == torch.bfloat16


def test_dtype_goes_before_its_older_name_and_auto_keeps_the_checkpoints(mini_directory: Path) -> None:
    assert load(mini_directory, dtype="float32", torch_dtype="bfloat16").dtype == torch.float32
    assert load(mini_directory, dtype="auto").dtype == load(mini_directory).dtype == torch.float16


@pytest.mark.parametrize("value", ["int8", "float17", "__name__", 16])
def test_what_is_no_dtype_is_said(mini_directory: Path, value: object) -> None:
    with pytest.raises(UsageError, match="is not a floating-point dtype"):
        load(mini_directory, torch_dtype=value)


@pytest.mark.parametrize(
    ("key", "value"), [("slow_path", "off"), ("decode_slow_attention", False), ("use_cache", False)]
)
def test_a_key_of_the_configuration_goes_before_config_json(
    mini_directory: Path, key: str, value: object
) -> None:
    by_auto = AutoModelForCausalLM.from_pretrained(mini_directory, **{key: value})
    assert getattr(load(mini_directory, **{key: value}).config, key) == value == getattr(by_auto.config, key)
    given = SlowFastConfig.from_pretrained(mini_directory)
    assert getattr(load(mini_directory, config=given, **{key: value}).config, key) == value
    assert getattr(given, key) != value  # the caller's own stays as it is


def test_a_wrong_value_for_such_a_key_is_one_line(mini_directory: Path) -> None:
    with pytest.raises(CheckpointError, match="slow_path is 'maybe'"):
        load(mini_directory, slow_path="maybe")


def test_loading_info_is_given_to_whom_asks(mini_directory: Path) -> None:
    model, info = load(mini_directory, output_loading_info=True)
    assert isinstance(model, SlowFastForConditionalGeneration)
    assert not model.training
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]


def test_a_checkpoint_in_a_subfolder(mini_directory: Path, tmp_path: Path) -> None:
    shutil.copytree(mini_directory, tmp_path / "inner")
    assert load(tmp_path, subfolder="inner").config.num_hidden_layers == 4
    with pytest.raises(CheckpointError, match="has no folder outer"):
        load(tmp_path, subfolder="outer")


def test_a_hub_id_with_local_files_only_does_not_reach_for_the_hub(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(CheckpointError, match="some/model cannot be had"):
        load("some/model", local_files_only=True, cache_dir=str(tmp_path))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"torch_dtype": "torch.float16"}, {"dtype": torch.float16}),
        ({"torch_dtype": None, "dtype": "torch.bfloat16"}, {"dtype": torch.bfloat16}),
        ({"torch_dtype": "auto"}, {"dtype": None}),
        ({"head_dim": None}, {"hidden_size": 96}),
        ({"pad_token_id": 640}, {"pad_token_id": None}),
        ({"pad_token_id": -1}, {"pad_token_id": None}),
        ({"pad_token_id": 151643}, {"pad_token_id": None}),
        ({"pad_token_id": 639}, {"pad_token_id": 639}),
        ({"num_frames": 64}, {"num_frames": 64}),
        ({"_attn_implementation": "flash_attention_2"}, {"hidden_size": 96}),
    ],
)
def test_a_value_as_others_write_it_works(
    tmp_path: Path, mini_directory: Path, changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    directory = Path(shutil.copytree(mini_directory, tmp_path / "checkpoint"))
    values = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**values, **changes}))
    config = config_from({**values, **changes}, "test")
    assert {key: getattr(config, key) for key in expected} == expected
    assert load_model(card_for(str(directory)), dtype=torch.float32).parameters > 0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mm_vision_tower", ["convnext-64"]),
        ("mm_vision_tower", 576),
        ("hidden_size", "96"),
        ("hidden_size", 0),
        ("vocab_size", -1),
        ("num_attention_heads", 5),
        ("num_key_value_heads", 3),
        ("num_key_value_heads", 0),
        ("head_dim", "24"),
        ("head_dim", 0),
        ("num_frames", "64"),
        ("num_frames", True),
        ("num_frames", 0),
        ("num_frames", 64.5),
        ("mm_hidden_size", "64"),
        ("mm_video_pooling_stride", "2"),
        ("mm_video_pooling_stride", -2),
        ("fast_token_temporal_stride", "4"),
        ("min_fast_frames", 16.0),
        ("cross_attn_every_n_layers", "2"),
        ("cross_attn_max_layer_depth", -1),
        ("cross_attn_implementation", None),
        ("cross_attn_gating_type", ["whole-dynamic"]),
        ("mm_projector_type", None),
        ("rope_theta", "10000"),
        ("rope_theta", None),
        ("rope_theta", 0),
        ("hidden_act", "swish9"),
        ("torch_dtype", "float17"),
        ("torch_dtype", ["float16"]),
        ("decode_slow_attention", "yes"),
        ("quantization_config", "8bit"),
        ("id2label", "x"),
        ("vision_config", [1]),
        ("vision_config", {"image_size": "64"}),
        ("vision_config", {"image_size": 16}),
        ("vision_config", {"depths": [1, 1, 1, 0]}),
        ("vision_config", {"hidden_sizes": ["16", 32, 48, 64]}),
        ("vision_config", {"depths": 4}),
    ],
)
def test_a_value_that_makes_no_model_is_one_line_that_names_it(
    published: dict[str, Any], key: str, value: object
) -> None:
    with pytest.raises(CheckpointError) as caught:
        config_from({**published, key: value}, "config.json")
    named = next(iter(value)) if isinstance(value, dict) else {"torch_dtype": "dtype"}.get(key, key)
    if key != "id2label":
        assert named in caught.value.message
    assert "\n" not in caught.value.message
