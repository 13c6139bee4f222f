"""The trained models in the package: small, in the published layout, and made for one comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from sf_eval.core.cards import card_names, load_card
from sf_eval.core.paths import PACKAGE
from sf_eval.model.loading import (
    LoadedModel,
    build_on_meta,
    count_parameters,
    load_model,
    weights_directory,
)

NAMES = ("mini", "mini-16f", "mini-pooled")
CONTROLS = NAMES[1:]
CARDS = (*NAMES, "mini-self-attention")
LAYER_SCALE = "model.vision_tower.vision_tower.stages.{}.blocks.0.weight"
HYBRID_LAYER = "model.layers.{}.self_attn.cross_attn_{}"

Load = Callable[[str], LoadedModel]


def folder(name: str) -> Path:
    return PACKAGE / "assets" / name


@pytest.fixture(scope="module")
def load() -> Load:
    """A card's model in float32, loaded once."""
    loaded: dict[str, LoadedModel] = {}

    def load_once(name: str) -> LoadedModel:
        if name not in loaded:
            loaded[name] = load_model(load_card(name), dtype=torch.float32)
        return loaded[name]

    return load_once


@pytest.fixture(scope="module")
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (128, 48, 64, 3), dtype=np.uint8)


def tokens(loaded: LoadedModel, count: int) -> tuple[int, int]:
    """Fast and slow tokens of a video of `count` frames."""
    side = loaded.processor.image_size
    features = loaded.model.encode_video(torch.zeros(count, 3, side, side))
    width = loaded.model.config.hidden_size
    assert features.fast_tokens.shape[1] == features.slow_tokens.shape[1] == width
    return len(features.fast_tokens), len(features.slow_tokens)


def test_all_of_them_take_less_than_3_mb() -> None:
    sizes = [path.stat().st_size for name in NAMES for path in folder(name).rglob("*") if path.is_file()]
    assert sum(sizes) <= 3_000_000


@pytest.mark.parametrize("name", CARDS)
def test_a_card_names_trained_weights_and_as_many_frames_as_they_were_trained_with(name: str) -> None:
    card = load_card(name)
    assert not card.untrained
    assert "untrained" not in card.title.lower()
    directory = weights_directory(card)
    assert directory == folder("mini" if name == "mini-self-attention" else name)
    assert json.loads((directory / "config.json").read_text())["num_frames"] == card.num_frames
    assert card.num_frames == (16 if name == "mini-16f" else 128)
    assert card.slow_path == ("on" if name == "mini" else "off")


def test_every_packaged_model_has_a_card_and_every_card_its_model() -> None:
    packaged = {card.weights for card in map(load_card, card_names()) if card.weights.startswith("package:")}
    assert packaged == {f"package:{name}" for name in NAMES}
    assert {path.parent.name for path in (PACKAGE / "assets").glob("*/model.safetensors")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_and_its_vocabulary_is_its_tokenizers(name: str, load: Load) -> None:
    loaded = load(name)
    assert 200_000 < loaded.parameters < 1_000_000
    assert len(loaded.processor.tokenizer) == loaded.model.config.vocab_size
    assert loaded.model.lm_head.weight is loaded.model.model.embed_tokens.weight
    assert loaded.parameters == count_parameters(build_on_meta(load_card(name)))  # what a dry run says
    assert loaded.processor.image_size == loaded.model.config.vision_config.image_size


@pytest.mark.parametrize("name", NAMES)
def test_its_weights_are_float16_in_the_published_key_names(name: str) -> None:
    weights = load_file(folder(name) / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert {LAYER_SCALE.format(stage) for stage in range(4)} <= set(weights)
    assert not [key for key in weights if key.endswith(".gamma")]
    assert "lm_head.weight" not in weights  # tied: stored once
    assert {
        "model.embed_tokens.weight", "model.norm.weight", "model.mm_projector.0.weight",
        "model.vision_tower.vision_tower.stem.0.weight", "model.layers.0.self_attn.q_proj.weight",
    } <= set(weights)  # fmt: skip


def test_only_the_slow_fast_model_has_hybrid_weights(load: Load) -> None:
    keys = {name: set(load_file(folder(name) / "model.safetensors")) for name in NAMES}
    assert load("mini").model.config.hybrid_layers == (0, 2)
    for layer in (0, 2):
        for part in ("kv_proj.weight", "gate_proj.0.weight"):
            assert HYBRID_LAYER.format(layer, part) in keys["mini"]
    hybrid = {key for key in keys["mini"] if ".cross_attn_" in key}
    for name in CONTROLS:
        assert load(name).model.config.hybrid_layers == ()
        assert keys[name] == keys["mini"] - hybrid  # in everything else the models are the same


def test_the_controls_differ_from_the_slow_fast_model_in_what_is_compared_and_nothing_else() -> None:
    configs = {name: json.loads((folder(name) / "config.json").read_text()) for name in NAMES}
    of_frames = {"num_frames", "fast_token_temporal_stride", "fast_token_temporal_sampling_stride"}
    differing = {
        name: {key for key in configs["mini"] if configs[name].get(key) != configs["mini"][key]}
        for name in CONTROLS
    }
    assert differing == {
        "mini-16f": {"cross_attn_every_n_layers", *of_frames},
        "mini-pooled": {"cross_attn_every_n_layers"},
    }
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert len({(folder(model) / name).read_bytes() for model in NAMES}) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mini", {128: (16, 128), 64: (16, 64), 16: (16, 16), 5: (5, 5), 1: (4, 4)}),
        ("mini-pooled", {128: (16, 128), 64: (16, 64), 16: (16, 16), 5: (5, 5), 1: (4, 4)}),
        ("mini-16f", {16: (16, 16), 5: (5, 5), 64: (64, 64), 1: (4, 4)}),
    ],
)
def test_tokens_of_a_video(name: str, expected: dict[int, tuple[int, int]], load: Load) -> None:
    """One token a frame: the tower's 2 x 2 cells are pooled, but not those of a single image."""
    assert {count: tokens(load(name), count) for count in expected} == expected


def test_all_of_them_show_the_language_model_as_many_visual_tokens(load: Load) -> None:
    """At their own numbers of frames the prompts are equally long: what differs is not the LLM's budget."""
    lengths = set()
    for name in CARDS:
        loaded = load(name)
        side = loaded.processor.image_size
        features = loaded.model.encode_video(torch.zeros(loaded.card.num_frames, 3, side, side))
        ids = loaded.processor.tokenize("What is the colour of the disc?")
        lengths.add((len(features.fast_tokens), loaded.model.prompt_length(ids[0], features)))
    ((fast, _),) = lengths
    assert fast == 16


@pytest.mark.parametrize("name", CARDS)
def test_it_answers_about_frames(name: str, load: Load, frames: np.ndarray) -> None:
    loaded = load(name)
    count = loaded.card.num_frames
    features = [
        loaded.model.encode_video(loaded.processor.preprocess(shown))
        for shown in (frames[:count], frames[:count, ::-1].copy())
    ]
    batch = loaded.processor.batch(["What is the colour of the cup?\nA. red\nB. blue"] * 2)
    output = loaded.model.generate(
        **batch,
        video_features=features,
        max_new_tokens=8,
        eos_token_id=list(loaded.processor.eos_token_ids),
    )
    assert output.shape[1] > batch["input_ids"].shape[1]


@pytest.mark.parametrize("name", CARDS)
def test_what_a_video_shows_changes_the_logits(name: str, load: Load) -> None:
    loaded = load(name)
    side = loaded.processor.image_size
    batch = loaded.processor.batch(["Why?"])
    first, second = (
        loaded.model(
            **batch,
            pixel_values_videos=[torch.full((loaded.card.num_frames, 3, side, side), value)],
            logits_to_keep=1,
        ).logits
        for value in (0.5, -0.5)
    )
    assert (first - second).abs().max() > 1e-2


def test_the_slow_path_sees_a_frame_that_the_fast_path_leaves_out(load: Load, frames: np.ndarray) -> None:
    """Every other frame is sampled for the fast tokens; the slow tokens are of all."""
    batch = load("mini").processor.batch(["Why?"])
    changed = frames.copy()
    changed[65] = 255 - changed[65]
    moved = {}
    for name in ("mini", "mini-self-attention", "mini-pooled"):
        loaded = load(name)
        before, after = (
            loaded.model(
                **batch, pixel_values_videos=[loaded.processor.preprocess(shown)], logits_to_keep=1
            ).logits
            for shown in (frames, changed)
        )
        moved[name] = float((before - after).abs().max())
    assert moved["mini"] > 0
    assert moved["mini-self-attention"] == moved["mini-pooled"] == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_prompt_of_300_words_fits(name: str, load: Load) -> None:
    """Words that its tokenizer does not know: each is spelled out in several tokens."""
    loaded = load(name)
    ids = loaded.processor.tokenize(" ".join(["extraordinary"] * 300))
    side = loaded.processor.image_size
    features = loaded.model.encode_video(torch.zeros(loaded.card.num_frames, 3, side, side))
    length = loaded.model.prompt_length(ids[0], features)
    assert 300 < length < loaded.model.config.max_prompt_tokens
    logits = loaded.model(input_ids=ids, video_features=[features], logits_to_keep=1).logits
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_it_comes_from(name: str) -> None:
    origin = json.loads((folder(name) / "origin.json").read_text())
    assert origin["model"] == name
    assert origin["command"]
    assert all(isinstance(word, str) for word in origin["command"])
    assert origin["commits"]
    assert all(re.fullmatch(r"[0-9a-f]{40}(\+changes)?", commit) for commit in origin["commits"])
    assert isinstance(origin["seed"], int)
    assert origin["seconds"][name] > 0
    assert all(seconds > 0 for seconds in origin["seconds"].values())
    assert origin["device"]
    assert {"torch", "transformers", "timm"} <= set(origin["versions"])


def test_they_were_trained_from_one_beginning() -> None:
    """The same seed, the same plan and the same stages before each variant's own."""
    origins = [json.loads((folder(name) / "origin.json").read_text()) for name in NAMES]
    for key in ("seed", "budget"):
        assert all(origin[key] == origins[0][key] for origin in origins), key
