"""`sf-eval attach base`: a checkpoint of the Qwen2.5-VL class that loads and answers, and resumes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from sf_eval.cli.attach import command
from sf_eval.core.cards import card_for
from sf_eval.core.errors import DataError
from sf_eval.inference.families import open_model
from sf_eval.training.footage import draw_scenes, watch_whole
from sf_eval.training.mini_qwen.checkpoint import QwenPrompter, new_processor
from sf_eval.training.mini_qwen.tower import Elder, patches_of


def test_a_pairs_token_is_the_mean_of_what_the_other_tower_says_of_both_frames() -> None:
    pixels = watch_whole(draw_scenes("pairs", 1, (3,))[0])[:5]
    elder = Elder()
    pairs = elder.tokens(pixels)
    alone = torch.cat([elder.tokens(pixels[index : index + 1]) for index in range(5)])
    wanted = torch.stack([alone[0:2].mean(0), alone[2:4].mean(0), alone[4]])
    torch.testing.assert_close(pairs, wanted)
    assert len(patches_of(new_processor(), pixels).rows) == len(pairs)


def test_a_prompt_in_training_is_that_of_an_evaluation() -> None:
    processor = new_processor()
    ids = QwenPrompter(processor).tokenize("What is <|im_end|> shown?")[0].tolist()
    text = processor.tokenizer.decode([token for token in ids if token >= 0])
    assert text.startswith("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n")
    assert text.endswith("shown?<|im_end|>\n<|im_start|>assistant\n")
    end = processor.tokenizer.eos_token_id
    assert ids.count(end) == 2, "markup in a question is only text"


@pytest.mark.thorough
def test_a_small_training_leaves_a_model_that_is_loaded_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    arguments = ["base", "--output", str(tmp_path), "--budget", "small"]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    folder = tmp_path / "mini-qwen"
    weights = (folder / "model.safetensors").read_bytes()
    assert len(weights) < 3_000_000
    card = card_for(str(folder))
    assert (card.family, card.num_frames, card.slow_path) == ("qwen2_5_vl", 128, "off")
    assert open_model(card, dtype="float32").facts.parameters > 400_000
    origin = json.loads((folder / "origin.json").read_text())
    assert origin["begun_from"] == "mini-pooled"
    (folder / "model.safetensors").unlink()
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert (folder / "model.safetensors").read_bytes() == weights
    towered = [*arguments[:2], str(tmp_path / "pooled"), *arguments[3:], "--tower-of", str(tmp_path)]
    CliRunner().invoke(command, [*towered, "--temporal-stride", "16"], catch_exceptions=False)
    pooled = tmp_path / "pooled" / "mini-qwen"
    assert json.loads((pooled / "origin.json").read_text())["temporal_stride"] == 16
    ours, theirs = (load_file(path / "model.safetensors") for path in (pooled, folder))
    same = {name for name, value in ours.items() if torch.equal(value, theirs[name])}
    assert {name for name in ours if "visual" in name} <= same, "the tower is the other training's"
    assert any("layers" in name for name in set(ours) - same), "the decoder learned from other tokens"
    error = (
        CliRunner().invoke(command, [*towered, "--seed", "1", "--output", str(tmp_path / "other")]).exception
    )
    assert isinstance(error, DataError)
    assert "(other seed)" in str(error)


def test_a_tower_that_is_not_there_is_not_taken(tmp_path: Path) -> None:
    arguments = ["base", "--output", str(tmp_path / "new"), "--tower-of", str(tmp_path), "--budget", "small"]
    error = CliRunner().invoke(command, arguments).exception
    assert isinstance(error, DataError)
    assert "no finished tower" in str(error)
