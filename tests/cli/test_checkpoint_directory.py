"""A researcher's own checkpoint: published keys in two shards, a Qwen2 tokenizer, nothing else on disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from sf_eval.core.paths import PACKAGE
from sf_eval.harness.record import RunRecord

MINI = PACKAGE / "assets" / "mini"
RUN = ("run", "--data", "mini", "--tasks", "mlvu", "--limit", "4", "--num-frames", "8")


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Other weights than the package's, as trainers save them: two shards, an index, an unused head.

    Its output matrix is its own, as in the released checkpoints; the package's models have tied embeddings.
    """
    folder = tmp_path / "my-checkpoint"
    folder.mkdir()
    for name in ("generation_config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(MINI / name, folder / name)
    config = json.loads((MINI / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
    generator = torch.Generator().manual_seed(7)
    weights = {
        key: tensor + 0.02 * torch.randn(tensor.shape, generator=generator).to(tensor.dtype)
        for key, tensor in load_file(MINI / "model.safetensors").items()
    }
    embeddings = weights["model.embed_tokens.weight"]
    weights["lm_head.weight"] = torch.randn(embeddings.shape, generator=generator).to(embeddings.dtype)
    weights["model.vision_tower.vision_tower.head.norm.weight"] = torch.ones(64, dtype=torch.float16)
    names = sorted(weights)
    shards = {
        "model-00001-of-00002.safetensors": names[::2],
        "model-00002-of-00002.safetensors": names[1::2],
    }
    for shard, keys in shards.items():
        save_file({key: weights[key].contiguous() for key in keys}, folder / shard, {"format": "pt"})
    index = {
        "metadata": {"total_size": sum(tensor.nbytes for tensor in weights.values())},
        "weight_map": {key: shard for shard, keys in shards.items() for key in keys},
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert 500_000 <= sum(tensor.numel() for tensor in weights.values()) <= 2_000_000
    return folder


def test_a_checkpoint_directory_is_evaluated(sf_eval: Callable, checkpoint: Path, tmp_path: Path) -> None:
    done = sf_eval(*RUN, "--model", checkpoint, "--output", tmp_path / "run")
    assert done.code == 0, done.err
    record = RunRecord.model_validate_json((tmp_path / "run" / "results.json").read_text())
    assert record.model.name == "my-checkpoint"
    assert record.model.weights == str(checkpoint)
    assert not record.model.untrained
    assert record.tasks[0].micro.n == 4


def test_other_weights_are_another_run(sf_eval: Callable, checkpoint: Path, tmp_path: Path) -> None:
    """The journal knows weights by their digest: the same directory with new weights is asked anew."""
    output = tmp_path / "run"
    assert sf_eval(*RUN, "--model", checkpoint, "--output", output).code == 0
    first = RunRecord.model_validate_json((output / "results.json").read_text())
    shard = checkpoint / "model-00001-of-00002.safetensors"
    weights = load_file(shard)
    save_file({key: tensor * 1.5 for key, tensor in weights.items()}, shard, {"format": "pt"})
    assert sf_eval(*RUN, "--model", checkpoint, "--output", output).code == 0
    second = RunRecord.model_validate_json((output / "results.json").read_text())
    assert first.model.weights_digest != second.model.weights_digest
    assert len((output / "journal.jsonl").read_bytes().splitlines()) == 2 * 4


def test_a_lacking_weight_is_one_line_that_names_its_key(
    sf_eval: Callable, checkpoint: Path, tmp_path: Path
) -> None:
    index = checkpoint / "model.safetensors.index.json"
    listed = json.loads(index.read_text())
    shard = checkpoint / listed["weight_map"].pop("model.norm.weight")
    weights = load_file(shard)
    del weights["model.norm.weight"]
    save_file(weights, shard, {"format": "pt"})
    index.write_text(json.dumps(listed))
    done = sf_eval(*RUN, "--model", checkpoint, "--output", tmp_path / "run")
    assert done.code == 2
    assert "model.norm.weight" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_without_the_hub_the_error_names_the_other_ways(sf_eval: Callable, tmp_path: Path) -> None:
    """The default model and data come from the Hub, which cannot be reached here."""
    default = sf_eval("run", "--tasks", "videomme,mlvu", "--output", tmp_path / "a")
    assert default.code == 2
    assert "--data mini" in default.err
    assert "--model mini" in default.err
    assert len(default.err.strip().splitlines()) == 1
    weights = sf_eval("run", "--tasks", "videomme", "--data", "mini", "--output", tmp_path / "b")
    assert weights.code == 2
    assert "slowfast-video-mllm" in weights.err
    assert "--model mini" in weights.err
    assert len(weights.err.strip().splitlines()) == 1


@pytest.mark.parametrize("name", ["generation_config.json", "tokenizer.json"])
def test_a_file_beside_the_weights_that_changes_answers_is_another_checkpoint(
    checkpoint: Path, name: str
) -> None:
    """A run's notes tell what generation_config.json asks for; the processor reads the tokenizer."""
    from sf_eval.model.loading import weights_digest

    before = weights_digest(checkpoint)
    changed = json.loads((checkpoint / name).read_text())
    changed["repetition_penalty"] = 1.5
    (checkpoint / name).write_text(json.dumps(changed))
    assert weights_digest(checkpoint) != before


def test_data_that_was_moved_is_the_same_data(sf_eval: Callable, tmp_path: Path) -> None:
    from sf_eval.editions import mini_root

    shutil.copytree(mini_root(["mlvu"]), tmp_path / "here")
    run = (
        "run",
        "--model",
        "mini",
        "--tasks",
        "mlvu",
        "--limit",
        "2",
        "--output",
        tmp_path / "run",
        "--data",
    )
    assert sf_eval(*run, tmp_path / "here").code == 0
    (tmp_path / "here").rename(tmp_path / "there")
    assert sf_eval(*run, tmp_path / "there").code == 0
    assert len((tmp_path / "run" / "journal.jsonl").read_bytes().splitlines()) == 2


def test_what_a_checkpoint_asks_for_and_is_not_done_is_on_screen_and_in_the_record(
    sf_eval: Callable, checkpoint: Path, tmp_path: Path
) -> None:
    plain = sf_eval(*RUN, "--model", checkpoint, "--output", tmp_path / "plain")
    assert plain.code == 0, plain.err
    (checkpoint / "generation_config.json").write_text(
        json.dumps({"num_beams": 4, "repetition_penalty": 9.0})
    )
    asking = sf_eval(*RUN, "--model", checkpoint, "--output", tmp_path / "asking")
    assert asking.code == 0, asking.err
    records = [
        RunRecord.model_validate_json((tmp_path / name / "results.json").read_text())
        for name in ("plain", "asking")
    ]
    assert records[0].notes == []
    (note,) = records[1].notes
    assert note.startswith("generation_config.json asks for num_beams=4, repetition_penalty=9.0; not done")
    assert "num_beams=4" in asking.out
    assert "num_beams=4" in (tmp_path / "asking" / "leaderboard.md").read_text().replace("\\", "")
    outputs = [
        [json.loads(line)["output"] for line in (tmp_path / name / "samples.jsonl").read_text().splitlines()]
        for name in ("plain", "asking")
    ]
    assert outputs[0] == outputs[1]


def test_an_adapter_is_one_line(sf_eval: Callable, checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    beside = sf_eval(*RUN, "--model", checkpoint, "--output", tmp_path / "run")
    alone = tmp_path / "adapter"
    alone.mkdir()
    shutil.copyfile(checkpoint / "adapter_config.json", alone / "adapter_config.json")
    for done in (beside, sf_eval(*RUN, "--model", alone, "--output", tmp_path / "run")):
        assert done.code == 2
        assert "LORA adapter" in done.err
        assert "erge it" in done.err
        assert len(done.err.strip().splitlines()) == 1
