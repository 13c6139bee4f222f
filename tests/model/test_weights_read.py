"""What is loaded is what is checked and hashed; what else lies there is refused or said."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sf_eval.core.cards import card_for
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.model import SlowFastForConditionalGeneration, SlowFastProcessor
from sf_eval.model.loading import load_model, weights_digest

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
NORM = "model.norm.weight"
ADAPTER = {"peft_type": "LORA", "base_model_name_or_path": "some/base"}


@pytest.fixture
def directory(tmp_path: Path, mini_directory: Path) -> Path:
    """A copy of the mini checkpoint, to be changed."""
    return Path(shutil.copytree(mini_directory, tmp_path / "checkpoint"))


def write_shards(directory: Path, *, scale: float = 1.0) -> None:
    """The same weights times `scale` in two shards with their index, beside what is there."""
    weights = {key: tensor * scale for key, tensor in load_file(directory / WEIGHTS).items()}
    names = {key: SHARDS[number % 2] for number, key in enumerate(sorted(weights))}
    for shard in SHARDS:
        part = {key: weights[key] for key, name in names.items() if name == shard}
        save_file(part, directory / shard, {"format": "pt"})
    (directory / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names}))


def norm_of(directory: Path) -> torch.Tensor:
    return load_model(card_for(str(directory)), dtype=torch.float32).model.model.norm.weight


def test_a_single_file_beside_shards_is_refused(directory: Path) -> None:
    write_shards(directory, scale=2.0)
    for read in (SlowFastForConditionalGeneration.from_pretrained, weights_digest):
        with pytest.raises(CheckpointError, match=r"two sets of weights: model\.safetensors, and the shards"):
            read(directory)
    with pytest.raises(CheckpointError, match="two sets of weights"):
        load_model(card_for(str(directory)))


@pytest.mark.parametrize("kept", ["single", "shards"])
def test_either_set_alone_is_loaded_and_hashed(directory: Path, kept: str) -> None:
    single = load_file(directory / WEIGHTS)[NORM].float()
    write_shards(directory, scale=2.0)
    for name in (INDEX, *SHARDS) if kept == "single" else (WEIGHTS,):
        (directory / name).unlink()
    before = weights_digest(directory)
    assert torch.equal(norm_of(directory), single * (1 if kept == "single" else 2))
    read = directory / (WEIGHTS if kept == "single" else SHARDS[0])
    weights = load_file(read)
    save_file({key: tensor + 1 for key, tensor in weights.items()}, read, {"format": "pt"})
    assert weights_digest(directory) != before


def test_an_index_of_the_single_file_is_one_set(directory: Path) -> None:
    keys = load_file(directory / WEIGHTS)
    (directory / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(keys, WEIGHTS)}))
    assert torch.equal(norm_of(directory), keys[NORM].float())


@pytest.mark.parametrize(
    "name", ["model-00003-of-00003.safetensors", "model.fp16.safetensors", "adapter_model.safetensors"]
)
@pytest.mark.parametrize("sharded", [False, True])
def test_weight_files_that_are_not_read_are_said(directory: Path, name: str, sharded: bool) -> None:
    if sharded:
        write_shards(directory)
        (directory / WEIGHTS).unlink()
    digest, norm = weights_digest(directory), norm_of(directory)
    save_file({NORM: torch.zeros(96)}, directory / name, {"format": "pt"})
    loaded = load_model(card_for(str(directory)), dtype=torch.float32)
    assert (loaded.weights_digest, torch.equal(loaded.model.model.norm.weight, norm)) == (digest, True)
    assert loaded.notes == (f"Weight files beside the checkpoint's, not read: {name}.",)


def test_shards_without_an_index_are_named(directory: Path) -> None:
    (directory / WEIGHTS).rename(directory / SHARDS[0])
    with pytest.raises(CheckpointError, match=r"neither .* and what is in model-00001-of-00002\.safetensors"):
        load_model(card_for(str(directory)))


@pytest.mark.parametrize(
    ("weight_map", "named"),
    [
        ({NORM: "weights.bin"}, r"'weights\.bin'; sf-eval reads safetensors alone"),
        ({}, "names no weight file"),
        ({NORM: "gone.safetensors"}, r"lacks the weight file\(s\) gone\.safetensors"),
    ],
)
def test_an_index_that_leads_nowhere(directory: Path, weight_map: dict[str, str], named: str) -> None:
    (directory / WEIGHTS).rename(directory / "weights.bin")
    (directory / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(CheckpointError, match=named):
        SlowFastForConditionalGeneration.from_pretrained(directory)


def test_a_link_turned_to_another_file_is_another_digest(directory: Path, tmp_path: Path) -> None:
    """As in the Hub's cache; the files have one size and one time."""
    blobs = [tmp_path / "blob-1", tmp_path / "blob-2"]
    for scale, blob in enumerate(blobs, start=1):
        weights = load_file(directory / WEIGHTS)
        save_file({key: tensor * scale for key, tensor in weights.items()}, blob, {"format": "pt"})
        os.utime(blob, ns=(0, 0))
    digests = []
    for blob in blobs:
        (directory / WEIGHTS).unlink()
        (directory / WEIGHTS).symlink_to(blob)
        digests.append(weights_digest(directory))
    assert digests[0] != digests[1]
    assert torch.equal(norm_of(directory), load_file(blobs[1])[NORM].float())


def test_a_configuration_that_names_other_weights_is_refused(directory: Path) -> None:
    shutil.copyfile(directory / WEIGHTS, directory / "other.safetensors")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(
        json.dumps({**config, "transformers_weights": "other.safetensors"})
    )
    with pytest.raises(CheckpointError, match=r"transformers_weights is 'other\.safetensors'"):
        load_model(card_for(str(directory)))


@pytest.mark.parametrize("option", ["variant", "gguf_file"])
def test_an_option_that_reads_other_weights_is_refused(mini_directory: Path, option: str) -> None:
    with pytest.raises(UsageError, match=option):
        SlowFastForConditionalGeneration.from_pretrained(mini_directory, **{option: "fp16"})


@pytest.mark.parametrize("sharded", [False, True])
def test_an_adapter_beside_a_full_checkpoint_is_refused(directory: Path, sharded: bool) -> None:
    if sharded:
        write_shards(directory)
        (directory / WEIGHTS).unlink()
    (directory / "adapter_config.json").write_text(json.dumps(ADAPTER))
    with pytest.raises(CheckpointError, match=r"LORA adapter \(adapter_config\.json\) beside") as caught:
        load_model(card_for(str(directory)))
    assert "merge it first" in caught.value.hint
    with pytest.raises(CheckpointError, match="beside a full checkpoint"):
        SlowFastForConditionalGeneration.from_pretrained(directory)


@pytest.mark.parametrize("beside", [(), ("config.json",)])
@pytest.mark.parametrize("has_config", [True, False])
def test_an_adapter_alone_is_told_what_it_is(
    tmp_path: Path, mini_directory: Path, beside: tuple[str, ...], has_config: bool
) -> None:
    for name in beside:
        shutil.copyfile(mini_directory / name, tmp_path / name)
    save_file({"lora_A": torch.zeros(2)}, tmp_path / "adapter_model.safetensors")
    if has_config:
        (tmp_path / "adapter_config.json").write_text(json.dumps(ADAPTER))
    described = r"a LORA adapter of some/base" if has_config else "a PEFT adapter"
    for read in (SlowFastForConditionalGeneration.from_pretrained, weights_digest):
        with pytest.raises(CheckpointError, match=rf"is {described}, not a checkpoint") as caught:
            read(tmp_path)
        assert "Merge it into its base model" in caught.value.hint
    if not beside:
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            SlowFastProcessor.from_pretrained(tmp_path)


def test_a_damaged_adapter_configuration_is_one_line(directory: Path) -> None:
    (directory / "adapter_config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"adapter_config\.json is not JSON"):
        load_model(card_for(str(directory)))
