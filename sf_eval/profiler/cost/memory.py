"""Memory in closed form, in bytes: what grows with the video."""

from __future__ import annotations

from sf_eval.profiler.cost.closed_form import Workload
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.cost.tokens import TokenCounts

HALF_PRECISION = 2
"""Bytes of a bfloat16 or float16 value."""


def kv_cache_bytes(
    shape: ModelShape, tokens: TokenCounts, work: Workload, width: int = HALF_PRECISION
) -> int:
    """Self-attention keys and values of every layer once the last new token has been read or made.

    The last new token is never fed back, so `new_tokens - 1` of them are cached.
    """
    cached = work.text_tokens + tokens.fast_tokens + max(work.new_tokens - 1, 0)
    return work.batch_size * shape.layers * 2 * shape.kv_width * cached * width


def slow_bytes(shape: ModelShape, tokens: TokenCounts, work: Workload, width: int = HALF_PRECISION) -> int:
    """Keys and values of the slow tokens in every hybrid layer: all that decoding needs of them."""
    return work.batch_size * shape.hybrid_layers * 2 * shape.kv_width * tokens.slow_tokens * width
