"""What a configuration key counts as where a checkpoint's `config.json` lacks it: one place for all readers.

The model (`sf_eval.model.config`) and the closed form of its cost (which runs without torch) both read
these, so that they cannot disagree. The slow-fast keys have the value that the published code would use;
transformers leaves keys at their default out of config.json, so the language model's are `Qwen2Config`'s (a
test holds them to it).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

SLOW_FAST: Mapping[str, Any] = MappingProxyType(
    {
        "mm_vision_tower": "convnext-576",
        "mm_projector_type": "mlp2x_gelu",
        "mm_video_pooling_stride": 2,
        "cross_attn_every_n_layers": 8,
        "cross_attn_min_layer_depth": None,
        "cross_attn_max_layer_depth": None,
        "cross_attn_implementation": "text-only-vanilla-flashattn",
        "cross_attn_gating_type": "whole-dynamic-tanh-warmup",
        "fast_token_spatial_stride": 1,
        "fast_token_temporal_stride": 4,
        "fast_token_temporal_sampling_stride": 1,
        "min_fast_frames": 1,
        "tokenizer_model_max_length": None,
        "slow_path": "on",
        "slow_rope": "published",
        "decode_slow_attention": True,
    }
)
"""Keys of the slow and fast path. A stride that is null counts as 1."""

CONVNEXT: Mapping[str, Any] = MappingProxyType(
    {"depths": (3, 4, 30, 3), "hidden_sizes": (384, 768, 1536, 3072), "image_size": 576}
)
"""Keys of `vision_config`: timm's `convnext_xxlarge`, the tower of every released checkpoint."""


def named_image_size(vision_config: Mapping[str, Any], tower: str | None) -> int | None:
    """`image_size` of `vision_config`, or the number at the end of `mm_vision_tower` ("convnext-576").

    None where neither says it: the tower's default then holds.
    """
    if "image_size" in vision_config:
        size: int = vision_config["image_size"]
        return size
    match = re.search(r"-(\d+)$", tower or "")
    return int(match.group(1)) if match else None


QWEN2: Mapping[str, Any] = MappingProxyType(
    {
        "vocab_size": 151936,
        "num_key_value_heads": 32,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": False,
    }
)
"""Keys of the language model that its cost depends on and that need not be stated."""
