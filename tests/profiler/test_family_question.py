"""FLOPs of one question to a model of another family: its closed form, and what torch counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoints import FAMILIES
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForImageTextToText

from sf_eval.core.cards import VISUAL_TOKENS, card_for
from sf_eval.inference.families import open_model
from sf_eval.inference.family import Asked, Generated
from sf_eval.model.attach import attach_slow_path, save_slow_path
from sf_eval.profiler.cost.attached import PLAIN, Compression, attached_cost
from sf_eval.profiler.cost.closed_form import Convention
from sf_eval.profiler.cost.families import FAMILY_SHAPES
from sf_eval.profiler.cost.family_question import FamilyModel, family_model
from sf_eval.profiler.cost.question import QuestionCost
from sf_eval.profiler.traced.ops import AVERAGES
from sf_eval.profiler.traced.trace import module_macs, norms_of
from sf_eval.video import ClipPlan, VideoInfo

PROJECTOR = re.compile(r"model\.model\.(visual\.(merger|deepstack_merger_list\.\d+)|multi_modal_projector)$")
TOWER = re.compile(r"model\.model\.(visual|vision_tower)$")
NEW = 5
MAY_BE_0 = {"pooling_flops", "cross_attention_flops"}


class Root(nn.Module):
    """One root above the model, so that the counter can name its modules."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.run: Callable[[], Any] = lambda: None

    def forward(self) -> Any:
        return self.run()


@contextmanager
def every_matrix_product() -> Iterator[FlopCounterMode]:
    """Attention as the two products that it is; averages counted, as everywhere here."""
    with (
        sdpa_kernel(SDPBackend.MATH),
        FlopCounterMode(display=False, custom_mapping=dict(AVERAGES)) as counter,
    ):
        yield counter


def counted(root: Root, run: Callable[[], Any]) -> tuple[Any, Counter[str]]:
    """What `run` gives, and its MACs by module; "" is everything."""
    root.run = run
    with every_matrix_product() as counter:
        given = root()
    return given, module_macs(counter, root="Root.", uncounted=norms_of(root))


def by_torch(
    model: Any, frames: int, size: tuple[int, int], plain: Any = None
) -> tuple[QuestionCost, Generated]:
    """One question about noise, asked alone: encoded, prefilled, answered.

    Args:
        plain: the same model without its slow path: what it counts less is the cross-attention.
    """
    root = Root(model.model)
    pixels, shown = video(frames, *size)
    encoded, vision = counted(root, lambda: model.encode(pixels, shown, chunk_frames=4))
    one, prefill = counted(root, lambda: model.answer([Asked("What is it?", encoded, None, 1)])[0])
    assert one.finite
    given, everything = counted(root, lambda: model.answer([Asked("What is it?", encoded, None, NEW)])[0])
    projector = sum(macs for name, macs in vision.items() if PROJECTOR.match(name))
    tower = sum(macs for name, macs in vision.items() if TOWER.match(name))
    inside = sum(macs for name, macs in vision.items() if PROJECTOR.match(name) and ".visual." in name)
    pooling = vision[""] - tower - (projector - inside)
    cross = 0
    if plain is not None:
        cross = 2 * prefill[""] - by_torch(plain, frames, size)[0].prefill_flops
    return (
        QuestionCost(
            vision_flops=2 * (tower - inside),
            projector_flops=2 * projector,
            pooling_flops=2 * pooling,
            prefill_flops=2 * prefill[""],
            cross_attention_flops=cross,
            decode_flops=2 * (everything[""] - prefill[""]),
            total_flops=2 * (vision[""] + everything[""]),
        ),
        given,
    )


def video(frames: int, height: int, width: int) -> tuple[torch.Tensor, ClipPlan]:
    pixels = np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)
    info = VideoInfo(Path("v.mp4"), frames * 5, 10.0, frames / 2, width, height, "h264")
    indices = tuple(range(0, frames * 5, 5))
    return torch.from_numpy(pixels), ClipPlan(info, indices, tuple(index / 10 for index in indices))


def opened(directory: Path, **options: Any) -> Any:
    card = card_for(str(directory))
    return open_model(replace(card, options={**card.options, **options}), dtype="float32")


def in_closed_form(model: Any, given: Generated) -> QuestionCost | None:
    shape = family_model(model.facts.config)
    assert isinstance(shape, FamilyModel)
    assert given.prompt_tokens is not None
    assert given.visual_tokens is not None
    assert given.new_tokens is not None
    return shape.cost(
        given.visual_grid,
        given.visual_tokens,
        given.prompt_tokens - given.visual_tokens,
        given.new_tokens,
        Convention.FULL,
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(40, 56), pytest.param((72, 40), marks=pytest.mark.thorough)])
def test_a_plain_models_question_costs_what_torch_counts(
    checkpoint: Callable[[str], Path], family: str, size: tuple[int, int]
) -> None:
    model = opened(checkpoint(family))
    traced, given = by_torch(model, 6, size)
    assert given.new_tokens is not None
    assert given.new_tokens > 1
    assert asdict(in_closed_form(model, given)) == asdict(traced)
    assert min(value for name, value in asdict(traced).items() if name not in MAY_BE_0) > 0


@pytest.mark.parametrize(
    "family",
    [FAMILIES[0], *(pytest.param(family, marks=pytest.mark.thorough) for family in FAMILIES[1:])],
)
@pytest.mark.parametrize(
    ("frames", "strides"), [(10, (2, 2)), pytest.param(2, (4, 1), marks=pytest.mark.thorough)]
)
def test_so_does_one_to_a_pooled_and_to_an_attached_model(
    checkpoint: Callable[[str], Path], tmp_path: Path, family: str, frames: int, strides: tuple[int, int]
) -> None:
    directory = checkpoint(family)
    temporal, spatial = strides
    pooled = opened(directory, temporal_stride=temporal, spatial_stride=spatial)
    traced, given = by_torch(pooled, frames, (40, 56))
    assert asdict(in_closed_form(pooled, given)) == asdict(traced)
    whole = AutoModelForImageTextToText.from_pretrained(directory)
    attach_slow_path(whole, layers=(0, 2), temporal_stride=temporal, spatial_stride=spatial)
    save_slow_path(whole, tmp_path)
    attached = open_model(card_for(str(tmp_path)), dtype="float32")
    traced, given = by_torch(attached, frames, (40, 56), plain=pooled)
    assert given.slow_tokens > 0
    assert asdict(in_closed_form(attached, given)) == asdict(traced)
    assert traced.cross_attention_flops > 0


def test_a_question_without_a_video_costs_its_prefill(checkpoint: Callable[[str], Path]) -> None:
    model = opened(checkpoint("qwen3_vl"))
    root = Root(model.model)
    given, macs = counted(root, lambda: model.answer([Asked("What is it?", None, None, NEW)])[0])
    cost = in_closed_form(model, given)
    assert cost is not None
    assert (cost.total_flops, cost.vision_flops) == (2 * macs[""], 0)


def test_what_the_closed_form_was_not_held_against_is_not_counted(checkpoint: Callable[[str], Path]) -> None:
    config = opened(checkpoint("llava_onevision")).facts.config
    known = family_model(config)
    assert known is not None
    assert known.cost((4, 4, 4), 65, 10, 2) is not None
    assert known.cost((4, 5, 4), 81, 10, 2) is None, "no grid of its tower"
    assert known.cost((4, 4, 4), 33, 10, 2) is None, "no pooling of its own"
    for changed in (
        {"model_type": "video_llava"},
        {"vision_config": {**config["vision_config"], "vision_use_head": True}},
        {"text_config": {**config["text_config"], "model_type": "qwen2_moe"}},
        {"text_config": {**config["text_config"], "layer_types": ["sliding_attention"]}},
        {"vision_feature_layer": [-2, -1]},
    ):
        assert family_model({**config, **changed}) is None, changed
    assert family_model({name: value for name, value in config.items() if name != "visual_tokens"}) is None


def test_the_released_shape_is_counted_as_the_profile_counts_it() -> None:
    """From the keys of Qwen2.5-VL 7B's config.json: 64 frames of 448 x 448, plain and attached."""
    text = {
        "model_type": "qwen2_5_vl_text", "num_hidden_layers": 28, "hidden_size": 3584,
        "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064,
        "max_position_embeddings": 128000,
    }  # fmt: skip
    vision = {
        "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "patch_size": 14,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "out_hidden_size": 3584, "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }  # fmt: skip
    for compression, layers, tokens in ((PLAIN, [], 8192), (Compression(4, 2), [0, 8, 16, 24], 512)):
        pooling = {
            "temporal_stride": compression.temporal_stride,
            "spatial_stride": compression.spatial_stride,
            "layers": layers,
        }
        config = {
            "model_type": "qwen2_5_vl", "text_config": text, "vision_config": vision, VISUAL_TOKENS: pooling,
        }  # fmt: skip
        model = family_model(config)
        assert model is not None
        asked = model.cost((32, 16, 16), tokens, 100, 1)
        wanted = attached_cost(FAMILY_SHAPES["qwen2.5-vl-7b"], 64, 100, compression)
        assert asked is not None
        assert asked.prefill_flops == 2 * wanted.prefill
        assert asked.cross_attention_flops == 2 * wanted.slow_path
        assert asked.vision_flops + asked.projector_flops == 2 * wanted.vision
