"""Weights that are elsewhere until a layer runs: offloaded to the CPU or the disk, sharded, quantised."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import accelerate
import pytest
import torch
from torch import nn

from sf_eval.core.paths import PACKAGE
from sf_eval.model import SlowFastForConditionalGeneration
from sf_eval.model.placement import compute_device

Model = SlowFastForConditionalGeneration
QUESTION = torch.tensor([[5, 6, -200, 7, 8, 9]])
PARTS = (
    "model.embed_tokens",
    "model.vision_tower",
    "model.mm_projector",
    "model.layers",
    "model.norm",
    "model.rotary_emb",
    "lm_head",
)


def answers(model: Model, video: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """Logits of a prompt, of a token that follows, of a prompt with a cache made before, and greedy ids."""
    prompt = model(input_ids=QUESTION, pixel_values_videos=[video])
    step = model(input_ids=torch.tensor([[3]]), past_key_values=prompt.past_key_values)
    features = [model.encode_video(video)]
    given = model(input_ids=QUESTION, video_features=features, past_key_values=model.new_cache(features))
    ids = model.generate(QUESTION, video_features=features, max_new_tokens=3)
    return prompt.logits, step.logits, given.logits, ids


@pytest.fixture(scope="module")
def expected(load) -> tuple[torch.Tensor, ...]:
    video = torch.randn(8, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        return answers(load("s1t4_f8"), video)


def only(*parts: str) -> dict[str, str]:
    return {part: "disk" if part in parts else "cpu" for part in PARTS}


@pytest.mark.parametrize(
    "device_map",
    [
        {"": "cpu"},
        {"": "disk"},
        "auto",
        *[
            pytest.param(only(part), marks=pytest.mark.thorough)
            for part in PARTS
            if part != "model.rotary_emb"
        ],
        only(*set(PARTS) - {"model.embed_tokens"}),
        {**only("model.norm"), "model.layers": "cpu", "lm_head": "disk"},
        {"model": "disk", "lm_head": "cpu"},
    ],
    ids=str,
)
def test_every_placement_gives_the_same(load, frames, tmp_path: Path, expected, device_map) -> None:
    model = load("s1t4_f8", device_map=device_map, offload_folder=str(tmp_path))
    for found, wanted in zip(answers(model, frames(8)), expected, strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize(
    "offload",
    [
        lambda model, folder: accelerate.cpu_offload(model, torch.device("cpu"), offload_buffers=True),
        lambda model, folder: accelerate.cpu_offload(
            model, torch.device("cpu"), preload_module_classes=["HybridDecoderLayer", "Qwen2DecoderLayer"]
        ),
        lambda model, folder: accelerate.disk_offload(model, str(folder), torch.device("cpu")),
        lambda model, folder: accelerate.cpu_offload_with_hook(model, torch.device("cpu"))[0],
    ],
    ids=["cpu", "cpu_whole_layers", "disk", "cpu_with_hook"],
)
def test_offloading_a_loaded_model_gives_the_same(
    load, frames, tmp_path: Path, expected, offload: Callable[[Model, Path], Model]
) -> None:
    model = offload(load("s1t4_f8"), tmp_path)
    for found, wanted in zip(answers(model, frames(8)), expected, strict=True):
        assert torch.equal(found, wanted)


def test_data_never_follows_an_offloaded_weight_to_meta(load) -> None:
    model = accelerate.cpu_offload(load("s1t4_f8"), torch.device("cpu"))
    assert model.get_input_embeddings().weight.is_meta
    assert compute_device(model.get_input_embeddings()) == torch.device("cpu")
    assert compute_device(model.model.layers[0].input_layernorm) == torch.device("cpu")
    assert compute_device(nn.Linear(1, 1, device="meta")) == torch.device("meta")  # a shape without weights


@pytest.mark.thorough
def test_layers_sharded_over_two_processes_learn_and_answer_alike() -> None:
    """FSDP2 per layer: a layer has its weights while it runs, and at no other time."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    run = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("sharded.py")), str(PACKAGE / "assets")],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-3000:]
    assert sorted(run.stdout.split()) == ["equal:0", "equal:1"]


class QuantisedLike(nn.Linear):
    """As bitsandbytes' 8-bit layer: its product is of at most three dimensions."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        assert given.ndim <= 3
        return super().forward(given)


def test_layers_that_take_three_dimensions_give_the_same(load, frames, expected) -> None:
    model = load("s1t4_f8")
    for module in model.modules():
        if type(module) is nn.Linear:
            module.__class__ = QuantisedLike
    for found, wanted in zip(answers(model, frames(8)), expected, strict=True):
        assert torch.equal(found, wanted)


@pytest.mark.parametrize("bits", [8, 4])
def test_quantised_weights_answer(load, frames, expected, bits: int) -> None:
    pytest.importorskip("bitsandbytes")
    from transformers import BitsAndBytesConfig

    model = load("s1t4_f8", quantization_config=BitsAndBytesConfig(**{f"load_in_{bits}bit": True}))
    logits, _, _, ids = answers(model, frames(8))
    assert ids.shape == expected[3].shape
    assert (logits - expected[0]).abs().max() < expected[0].abs().max() / 2
