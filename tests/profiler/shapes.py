"""Tiny configurations for the profiler's tests."""

from __future__ import annotations

from typing import Any

TINY: dict[str, Any] = {
    "vocab_size": 101,
    "hidden_size": 32,
    "intermediate_size": 56,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "mm_video_pooling_stride": 2,
    "mm_projector_type": "mlp2x_gelu",
    "min_fast_frames": 3,
    "fast_token_temporal_stride": 2,
    "fast_token_temporal_sampling_stride": 1,
    "fast_token_spatial_stride": 1,
    "cross_attn_every_n_layers": 2,
    "cross_attn_implementation": "text-only-vanilla",
    "cross_attn_gating_type": "whole-dynamic-tanh-warmup",
    "vision_config": {"depths": [1, 1, 2, 1], "hidden_sizes": [4, 6, 8, 12], "image_size": 128},
}


def tiny(**changes: Any) -> dict[str, Any]:
    return {**TINY, **changes}
