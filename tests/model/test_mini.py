"""The model in the package: small, reproducible, and large enough for real prompts."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sf_eval.core.cards import load_card
from sf_eval.core.paths import checkout_root
from sf_eval.model.loading import LoadedModel, load_model


@pytest.fixture(scope="module")
def mini() -> LoadedModel:
    return load_model(load_card("mini"), dtype=torch.float32)


def test_it_is_small_and_says_that_it_is_untrained(mini, mini_directory: Path) -> None:
    assert 200_000 < mini.parameters < 1_000_000
    assert (mini_directory / "model.safetensors").stat().st_size < 2_000_000
    for name in ("mini", "mini-self-attention"):
        card = load_card(name)
        assert card.untrained
        assert "untrained" in card.title
    assert len(mini.processor.tokenizer) == mini.model.config.vocab_size <= 1024


def test_it_answers_about_frames(mini) -> None:
    rng = np.random.default_rng(0)
    features = [
        mini.model.encode_video(
            mini.processor.preprocess(rng.integers(0, 256, (64, 96, 128, 3), dtype=np.uint8))
        )
        for _ in range(2)
    ]
    assert features[0].fast_tokens.shape == (16 * 4, 96)
    assert features[0].slow_tokens.shape == (64 * 4, 96)
    batch = mini.processor.batch(["What is the colour of the cup?\nA. red\nB. blue"] * 2)
    output = mini.model.generate(
        **batch, video_features=features, max_new_tokens=8, eos_token_id=list(mini.processor.eos_token_ids)
    )
    assert output.shape[1] > batch["input_ids"].shape[1]


def test_what_a_video_shows_changes_the_logits(mini) -> None:
    batch = mini.processor.batch(["Why?"])
    first, second = (
        mini.model(
            **batch, pixel_values_videos=[torch.full((64, 3, 128, 128), value)], logits_to_keep=1
        ).logits
        for value in (0.5, -0.5)
    )
    assert (first - second).abs().max() > 1e-2


def test_a_prompt_of_300_words_fits(mini) -> None:
    prompt = " ".join(["extraordinary"] * 300)
    ids = mini.processor.tokenize(prompt)
    features = mini.model.encode_video(torch.zeros(64, 3, 128, 128))
    assert mini.model.prompt_length(ids[0], features) < mini.model.config.max_prompt_tokens


@pytest.mark.skipif(checkout_root() is None, reason="the script is part of a checkout only")
def test_its_script_makes_the_same_model_again(tmp_path: Path, mini_directory: Path, monkeypatch) -> None:
    root = checkout_root()
    assert root is not None
    monkeypatch.setattr("sys.argv", ["make_mini_model.py", "--output", str(tmp_path)])
    runpy.run_path(str(root / "tools" / "make_mini_model.py"), run_name="__main__")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (tmp_path / name).read_bytes() == (mini_directory / name).read_bytes()
    made, shipped = (load_file(path / "model.safetensors") for path in (tmp_path, mini_directory))
    assert {key: tensor.shape for key, tensor in made.items()} == {
        key: tensor.shape for key, tensor in shipped.items()
    }
