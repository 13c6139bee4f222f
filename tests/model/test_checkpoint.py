"""Checkpoint directories as released, and everything that can be wrong with one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from sf_eval.core.cards import ModelCard, card_for, load_card
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.model import (
    SlowFastConfig,
    SlowFastForConditionalGeneration,
    SlowFastModel,
    SlowFastProcessor,
)
from sf_eval.model.checkpoint import checked_attention, config_from
from sf_eval.model.loading import build_on_meta, config_for, load_model, weights_digest

GATE = "model.layers.0.self_attn.cross_attn_gate_proj.0.weight"
LAYER_SCALE = "model.vision_tower.vision_tower.stages.0.blocks.0.weight"


@pytest.fixture
def directory(tmp_path: Path, mini_directory: Path) -> Path:
    """A copy of the mini checkpoint, to be changed."""
    return Path(shutil.copytree(mini_directory, tmp_path / "checkpoint"))


def change_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(directory / "model.safetensors")
    change(weights)
    save_file(weights, directory / "model.safetensors", metadata={"format": "pt"})


def change_config(directory: Path, **values: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def shard(directory: Path) -> None:
    """Two shards and their index, as the released checkpoints come, with a tower head that nothing uses."""
    weights = load_file(directory / "model.safetensors")
    weights["model.vision_tower.vision_tower.head.norm.weight"] = torch.ones(64)
    (directory / "model.safetensors").unlink()
    keys = sorted(weights)
    parts = [keys[: len(keys) // 2], keys[len(keys) // 2 :]]
    names = [f"model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    for name, part in zip(names, parts, strict=True):
        save_file({key: weights[key] for key in part}, directory / name, metadata={"format": "pt"})
    index = {
        "metadata": {},
        "weight_map": {key: name for name, part in zip(names, parts, strict=True) for key in part},
    }
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))


def logits(model: SlowFastForConditionalGeneration) -> torch.Tensor:
    side = model.config.vision_config.image_size
    frames = torch.randn(4, 3, side, side, generator=torch.Generator().manual_seed(0))
    return model(input_ids=torch.tensor([[5, -200, 7, 8]]), pixel_values_videos=[frames]).logits


def test_two_shards_with_published_keys_load_with_nothing_else_on_disk(
    directory: Path, mini_directory: Path
) -> None:
    shard(directory)
    sharded = load_model(card_for(str(directory)), dtype=torch.float32)
    whole = load_model(load_card("mini"), dtype=torch.float32)
    assert torch.equal(logits(sharded.model), logits(whole.model))
    assert sharded.parameters == whole.parameters
    assert SlowFastProcessor.from_pretrained(directory).tokenize("Why?").shape[0] == 1


def test_the_layer_scale_comes_from_its_published_key(directory: Path) -> None:
    change_weights(directory, lambda weights: weights[LAYER_SCALE].fill_(0.25))
    model = SlowFastForConditionalGeneration.from_pretrained(directory)
    assert torch.all(model.model.vision_tower.vision_tower.stages[0].blocks[0].gamma == 0.25)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda weights: weights.pop(GATE), f"missing: {GATE}"),
        (lambda weights: weights.pop(LAYER_SCALE), "missing: .*stages.0.blocks.0.gamma"),
        (
            lambda weights: weights.update({"model.extra.weight": torch.ones(2)}),
            "unexpected: model.extra.weight",
        ),
        (lambda weights: weights.update({GATE: torch.ones(1, 7)}), rf"misshapen: {GATE} is \[1, 7\]"),
        (lambda weights: [weights.pop(key) for key in list(weights) if "layers" in key], "more"),
    ],
)
def test_weights_that_do_not_fit_are_named(directory: Path, change, named: str) -> None:
    change_weights(directory, change)
    with pytest.raises(CheckpointError, match=named):
        SlowFastForConditionalGeneration.from_pretrained(directory)


def test_all_wrong_keys_are_named_at_once(directory: Path) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        del weights[GATE]
        weights["model.norm.weight"] = torch.ones(5)

    change_weights(directory, change)
    with pytest.raises(CheckpointError) as caught:
        SlowFastForConditionalGeneration.from_pretrained(directory)
    assert GATE in caught.value.message
    assert "model.norm.weight is [5], expected [96]" in caught.value.message


def test_pickled_weights_are_never_read(directory: Path) -> None:
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"pickled weights only \(pytorch_model.bin\)"):
        SlowFastForConditionalGeneration.from_pretrained(directory)


def test_code_in_a_checkpoint_is_never_run(directory: Path, tmp_path: Path) -> None:
    trap = tmp_path / "ran"
    (directory / "evil.py").write_text(f"open({str(trap)!r}, 'w')\n")
    auto = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    change_config(directory, auto_map=auto)
    tokenizer = directory / "tokenizer_config.json"
    values = {**json.loads(tokenizer.read_text()), "auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}}
    tokenizer.write_text(json.dumps(values))
    load_model(card_for(str(directory)))
    assert not trap.exists()


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (
            lambda path: (path / "model-00002-of-00002.safetensors").unlink(),
            "model-00002-of-00002.safetensors",
        ),
        (lambda path: (path / "model.safetensors.index.json").write_text("[]"), "not an index"),
        (
            lambda path: (path / "model.safetensors.index.json").write_text(
                json.dumps({"weight_map": {"a": "../../outside.safetensors"}})
            ),
            "not a file beside it",
        ),
    ],
)
def test_damaged_shards_are_named(directory: Path, damage, named: str) -> None:
    shard(directory)
    damage(directory)
    with pytest.raises(CheckpointError, match=named):
        SlowFastForConditionalGeneration.from_pretrained(directory)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"model_type": "llama"}, "'llama'"),
        ({"mm_vision_tower": "siglip-384"}, "siglip-384"),
        ({"mm_projector_type": "resampler"}, "resampler"),
        ({"cross_attn_implementation": "flamingo"}, "flamingo"),
        ({"cross_attn_gating_type": "channel"}, "channel"),
        ({"num_hidden_layers": "six"}, "num_hidden_layers"),
        ({"vision_config": {"depths": [1, 1]}}, "four entries"),
        ({"slow_path": "maybe"}, "slow_path"),
    ],
)
def test_a_config_that_cannot_be_computed_is_named(
    directory: Path, values: dict[str, object], named: str
) -> None:
    change_config(directory, **values)
    with pytest.raises(CheckpointError, match=named):
        SlowFastForConditionalGeneration.from_pretrained(directory)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint directory") as caught:
        SlowFastForConditionalGeneration.from_pretrained(tmp_path / "nothing")
    assert "--model mini" in caught.value.hint


def test_a_hub_id_without_network_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(CheckpointError, match="some/model at revision abc cannot be had") as caught:
        SlowFastForConditionalGeneration.from_pretrained("some/model", revision="abc")
    assert "local checkpoint directory" in caught.value.hint
    assert "--model mini" in caught.value.hint


def test_dtype_is_the_checkpoints_or_the_callers(mini_directory: Path) -> None:
    assert SlowFastForConditionalGeneration.from_pretrained(mini_directory).dtype == torch.float16
    model = SlowFastForConditionalGeneration.from_pretrained(mini_directory, dtype=torch.float32)
    stored = load_file(mini_directory / "model.safetensors")
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert torch.equal(model.model.norm.weight, stored["model.norm.weight"].float())
    assert torch.equal(model.lm_head.weight, stored["model.embed_tokens.weight"].float())


def own_output_matrix(directory: Path) -> torch.Tensor:
    """Give the mini checkpoint, whose embeddings are tied, a matrix of its own as the released ones have."""
    like = load_file(directory / "model.safetensors")["model.embed_tokens.weight"]
    matrix = torch.randn(like.shape, generator=torch.Generator().manual_seed(1)).to(like.dtype)
    change_config(directory, tie_word_embeddings=False)
    change_weights(directory, lambda weights: weights.update({"lm_head.weight": matrix}))
    return matrix


def test_tied_embeddings_need_no_output_matrix(directory: Path) -> None:
    assert json.loads((directory / "config.json").read_text())["tie_word_embeddings"] is True
    assert "lm_head.weight" not in load_file(directory / "model.safetensors")
    tied = load_model(card_for(str(directory)), dtype=torch.float32)
    assert tied.model.lm_head.weight is tied.model.model.embed_tokens.weight
    own_output_matrix(directory)
    untied = load_model(card_for(str(directory)), dtype=torch.float32)
    assert untied.parameters - tied.parameters == tied.model.lm_head.weight.numel()  # counted once if tied


def test_untied_embeddings_need_an_output_matrix(directory: Path) -> None:
    matrix = own_output_matrix(directory)
    model = SlowFastForConditionalGeneration.from_pretrained(directory)
    assert torch.equal(model.lm_head.weight, matrix)
    assert not torch.equal(model.model.embed_tokens.weight, matrix)
    change_weights(directory, lambda weights: weights.pop("lm_head.weight"))
    with pytest.raises(CheckpointError, match=r"missing: lm_head\.weight"):
        SlowFastForConditionalGeneration.from_pretrained(directory)


def test_tied_embeddings_may_be_stored_twice(directory: Path) -> None:
    """As some trainers save them; what is loaded is what was stored."""

    def store_twice(weights: dict[str, torch.Tensor]) -> None:
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()

    change_weights(directory, store_twice)
    model = SlowFastForConditionalGeneration.from_pretrained(directory)
    assert torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_a_checkpoint_without_hybrid_layers_has_no_slow_branch(directory: Path) -> None:
    """A baseline trained by itself: it loads without hybrid weights, and refuses them where they are."""
    change_config(directory, cross_attn_every_n_layers=None)
    with pytest.raises(CheckpointError, match=r"unexpected: .*cross_attn_"):
        SlowFastForConditionalGeneration.from_pretrained(directory)

    def take_out(weights: dict[str, torch.Tensor]) -> None:
        for key in [key for key in weights if ".cross_attn_" in key]:
            del weights[key]

    change_weights(directory, take_out)
    on = load_model(card_for(str(directory)), dtype=torch.float32)
    assert on.model.config.slow_path == "on"  # nobody said otherwise, and there is nothing to turn off
    off = load_model(replace(card_for(str(directory)), slow_path="off"), dtype=torch.float32)
    assert torch.equal(logits(on.model), logits(off.model))
    assert on.parameters == off.parameters == load_model(load_card("mini-self-attention")).parameters


def test_attention_implementations_are_checked() -> None:
    assert checked_attention(None) == "sdpa"
    with pytest.raises(UsageError, match="sdpa"):
        checked_attention("spda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="flash-attn may be there")
def test_flash_attention_that_is_not_there_is_one_clear_error(mini_directory: Path) -> None:
    with pytest.raises(UsageError, match="flash-attn") as caught:
        SlowFastForConditionalGeneration.from_pretrained(
            mini_directory, attn_implementation="flash_attention_2"
        )
    assert "sdpa" in caught.value.hint


def test_auto_classes_know_the_model_type(mini_directory: Path) -> None:
    assert isinstance(AutoConfig.from_pretrained(mini_directory), SlowFastConfig)
    model = AutoModelForCausalLM.from_pretrained(mini_directory)
    assert isinstance(model, SlowFastForConditionalGeneration)
    with torch.device("meta"):
        assert isinstance(AutoModel.from_config(model.config), SlowFastModel)


def test_what_is_saved_has_published_keys_and_loads_again(mini_directory: Path, tmp_path: Path) -> None:
    model = SlowFastForConditionalGeneration.from_pretrained(mini_directory, dtype=torch.float32)
    model.save_pretrained(tmp_path)
    assert set(load_file(tmp_path / "model.safetensors")) == set(
        load_file(mini_directory / "model.safetensors")
    )
    again = SlowFastForConditionalGeneration.from_pretrained(tmp_path)
    torch.testing.assert_close(logits(again), logits(model), atol=1e-5, rtol=1e-5)
    assert again.config.rope_parameters["rope_theta"] == 1e4


def test_a_config_without_our_keys_has_the_published_defaults() -> None:
    config = config_from({"rope_scaling": {"type": "yarn", "factor": 4.0}, "min_fast_frames": None}, "test")
    assert config.vision_config.depths == (3, 4, 30, 3)
    assert (config.vision_config.image_size, config.mm_hidden_size) == (576, 3072)
    assert config.rope_parameters == {"rope_theta": 10000.0, "rope_type": "default"}
    assert (config.min_fast_frames, config.slow_path, config.decode_slow_attention) == (1, "on", True)
    assert config_from({"mm_vision_tower": "convnext-384"}, "test").vision_config.image_size == 384


@pytest.mark.parametrize(
    ("values", "layers"),
    [
        ({}, (0, 8, 16, 24)),
        ({"cross_attn_min_layer_depth": 2, "cross_attn_max_layer_depth": 20}, (2, 10, 18)),
        ({"cross_attn_max_layer_depth": 99, "cross_attn_every_n_layers": 14}, (0, 14)),
        ({"cross_attn_every_n_layers": None}, ()),
    ],
)
def test_hybrid_layers(values: dict[str, object], layers: tuple[int, ...]) -> None:
    assert config_from({"num_hidden_layers": 28, **values}, "test").hybrid_layers == layers


@pytest.mark.thorough
def test_the_7b_model_is_built_on_meta_without_weights() -> None:
    card = load_card("slowfast-7b-64f")
    model = build_on_meta(card)
    assert model.device.type == "meta"
    assert model.model.layers[8].self_attn.cross_attn_kv_proj.weight.shape == (1024, 3584)
    features = model.encode_video(torch.empty(64, 3, 576, 576, device="meta"))
    assert (features.fast_tokens.shape, features.slow_tokens.shape) == ((1296, 3584), (5184, 3584))
    output = model(input_ids=torch.tensor([[1, -200, 2]]), video_features=[features], logits_to_keep=1)
    assert output.logits.shape == (1, 1, 152064)


def test_loading_says_what_was_loaded(directory: Path) -> None:
    loaded = load_model(card_for(str(directory)), dtype=torch.float32)
    assert loaded.weights_digest == weights_digest(directory) == load_model(load_card("mini")).weights_digest
    change_weights(directory, lambda weights: weights[GATE].add_(1))
    assert weights_digest(directory) != loaded.weights_digest
    off = load_model(load_card("mini-self-attention"))
    assert off.model.config.slow_path == "off"
    assert off.parameters < loaded.parameters
    assert off.weights_digest == loaded.weights_digest


def test_a_card_without_weights_can_only_be_profiled() -> None:
    card = ModelCard(name="shape", title="Shape", config={"num_hidden_layers": 2})
    assert config_for(card).num_hidden_layers == 2
    with pytest.raises(CheckpointError, match="no weights of shape were published"):
        load_model(card)
