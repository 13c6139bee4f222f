"""Random models of the five families, as wide and deep as a test of memory wants them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import torch
from tiny_checkpoints import make_parts
from transformers import AutoModelForImageTextToText

from sf_eval.core.cards import card_for
from sf_eval.inference.families import MODULES
from sf_eval.inference.families.checkpoints import Loaded
from sf_eval.inference.families.options import read_options
from sf_eval.inference.families.transformers_model import TransformersVideoModel
from sf_eval.model.attach import attach_slow_path


@dataclass(frozen=True)
class Shape:
    """Attributes:
    hidden, mlp, layers, heads, kv_heads: of the decoder.
    tower, tower_mlp, tower_layers: of the tower.
    side: of the squares that its frames are, or have as many pixels as.
    """

    hidden: int = 256
    mlp: int = 768
    layers: int = 4
    heads: int = 8
    kv_heads: int = 2
    tower: int = 64
    tower_mlp: int = 192
    tower_layers: int = 4
    side: int = 64


def wide_model(
    family: str,
    shape: Shape,
    frames: int,
    *,
    dtype: torch.dtype = torch.float32,
    pooled: dict[str, int] | None = None,
    attached: dict[str, Any] | None = None,
) -> TransformersVideoModel:
    """A model that no token ends an answer of.

    Args:
        pooled: options of a card.
        attached: what `attach_slow_path` takes.
    """
    tiny, processor = make_parts(family)
    config = tiny.config
    _widen_decoder(config.text_config, shape)
    if family.startswith("qwen"):
        _widen_qwen(config.vision_config, processor, family, shape, frames)
    else:
        _widen_vit(config.vision_config, processor, family, shape)
    model = AutoModelForImageTextToText.from_config(config, attn_implementation="sdpa").to(dtype).eval()
    if attached is not None:
        attach_slow_path(model, **attached)
        model.eval()
    ours = import_module(MODULES[family]).FAMILY
    card = replace(card_for("qwen2.5-vl-7b"), family=family, num_frames=frames, options=pooled or {})
    loaded = Loaded(model, processor, "", "", frozenset(), None, ())
    return TransformersVideoModel(
        loaded, ours.traits, read_options(card, ours.traits.options), ours.rule(card)
    )


def _widen_decoder(text: Any, shape: Shape) -> None:
    half = shape.hidden // shape.heads // 2
    text.update(
        {
            "hidden_size": shape.hidden, "intermediate_size": shape.mlp, "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads,
            "head_dim": shape.hidden // shape.heads,
        }
    )  # fmt: skip
    if getattr(text, "layer_types", None):
        text.layer_types = ["full_attention"] * shape.layers
    if "mrope_section" in text.rope_parameters:
        sections = [half - 2 * (half // 4), half // 4, half // 4]
        text.rope_parameters = {**text.rope_parameters, "mrope_section": sections}


def _widen_qwen(vision: Any, processor: Any, family: str, shape: Shape, frames: int) -> None:
    vision.update(
        {
            "depth": shape.tower_layers, "hidden_size": shape.tower, "intermediate_size": shape.tower_mlp,
            "num_heads": 4, "out_hidden_size": shape.hidden,
        }
    )  # fmt: skip
    if family == "qwen2_5_vl":
        vision.fullatt_block_indexes = [shape.tower_layers - 1]
    videos = processor.video_processor
    most = shape.side**2 * (frames if family == "qwen3_vl" else 1)
    videos.size = type(videos.size)(shortest_edge=256, longest_edge=most)


def _widen_vit(vision: Any, processor: Any, family: str, shape: Shape) -> None:
    side, patches = shape.side, (shape.side // 4) ** 2
    vision.update(
        {
            "hidden_size": shape.tower, "intermediate_size": shape.tower_mlp,
            "num_hidden_layers": shape.tower_layers, "num_attention_heads": 4,
            "image_size": [side, side] if family == "internvl" else side,
        }
    )  # fmt: skip
    videos = processor.video_processor
    if family == "llava_next_video":
        videos.size = type(videos.size)(shortest_edge=side)
        videos.crop_size = type(videos.crop_size)(height=side, width=side)
    else:
        videos.size = type(videos.size)(height=side, width=side)
    if family == "internvl":
        processor.image_seq_length = patches // 4
    if family == "llava_onevision":
        processor.num_image_tokens = patches
