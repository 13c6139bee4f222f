"""The gated cross-attention that an attached layer adds between its attention and `o_proj`.

Shapes: B batch, L positions, Q positions that query, N slow tokens, D hidden size, H heads, K key/value
heads, d head size, R rows that share a video. `attention` is an attached layer's attention module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from sf_eval.model.attach.context import SlowCall, SlowPair, SlowVideo, Spans
from sf_eval.model.attach.settings import Gating
from sf_eval.model.errors import SlowPathError


class SlowGate(nn.Module):
    """One scalar a position: [.., H * d] -> [.., 1]; 0 until `warm_up` has learned.

    The linear part begins at weight 0 and bias 1. Were both 0, as `warm_up` is, no gradient would ever come.
    """

    def __init__(self, width: int, gating: Gating, **where: Any) -> None:
        super().__init__()
        self.gating = gating
        self.proj = nn.Linear(width, 1, **where)
        self.warm_up = nn.Parameter(torch.zeros(1, **where))
        nn.init.zeros_(self.proj.weight)
        nn.init.ones_(self.proj.bias)

    def forward(self, state: torch.Tensor) -> torch.Tensor:
        gate: torch.Tensor = self.proj(state)
        if self.gating == "dynamic-tanh-warmup":
            gate = gate.tanh()
        return gate * self.warm_up.tanh()


def project(attention: Any, video: SlowVideo, like: torch.Tensor) -> SlowPair:
    """Slow keys and values [K, N, d] of one layer, through the layer's own input norm and key norm.

    The projection's output is laid out per key/value head, key then value, as in the published model. It runs
    inside the layer's forward and nowhere else: a layer whose weights are sharded or offloaded has them only
    there.
    """
    normed = attention.slow_norm_of[0](video.tokens.to(device=like.device, dtype=like.dtype))
    paired = attention.slow_kv_proj(normed)
    paired = paired.unflatten(-1, (-1, 2, attention.head_dim))  # [N, K, 2, d]
    key, value = paired.unbind(2)  # [N, K, d]
    if (norm := getattr(attention, "k_norm", None)) is not None:
        whole = norm.weight.numel() == key.shape[1] * key.shape[2] and key.shape[1] > 1
        key = norm(key.flatten(1)).view_as(key) if whole else norm(key)
    key, value = key.transpose(0, 1), value.transpose(0, 1)
    if video.rotation is not None:
        cosine, sine = (part.to(device=like.device, dtype=like.dtype) for part in video.rotation)
        rotate: Callable[..., SlowPair] = attention.slow_rotate_of[0]
        key = rotate(key[None], key[None], cosine, sine)[1][0]
    if norm is not None or video.rotation is not None:
        # The key is a tensor of its own; as a view the value would keep the whole projection beside it.
        value = value.contiguous()
    return key, value


def with_context(
    attention: Any, query: torch.Tensor, output: torch.Tensor, call: SlowCall, scaling: float
) -> torch.Tensor:
    """The attention's output with gated context added where positions query.

    Args:
        query: [B, H, L, d], after rotation.
        output: [B, L, H, d], what the attention made of it.
        call: the slow side of this pass; learns that this layer has read it.

    Raises:
        SlowPathError: a batch that is no multiple of the context's rows.
    """
    layer: int = attention.layer_idx
    videos = call.context.videos
    each, rest = divmod(len(output), len(videos))
    if rest or not each:
        raise SlowPathError(f"a batch of {len(output)} rows was given slow tokens for {len(videos)}.")
    pairs = _pairs(attention, output, call, layer)
    call.read.add(layer)
    merged = output.flatten(2)  # [B, L, H * d]
    parts = []
    for row, pair in enumerate(pairs):
        mine = slice(row * each, (row + 1) * each)
        spans = call.context.spans(row, call.offset, merged.shape[1])
        if pair is None or not spans:
            parts.append(merged[mine])
        else:
            parts.append(_add(attention, query[mine], merged[mine], pair, spans, scaling))
    return (parts[0] if len(parts) == 1 else torch.cat(parts)).view(output.shape)


def _pairs(attention: Any, like: torch.Tensor, call: SlowCall, layer: int) -> list[SlowPair | None]:
    kept = call.context.pairs.get(layer)
    if kept is not None:
        return kept
    pairs = [None if video is None else project(attention, video, like) for video in call.context.videos]
    # Checkpointing that recomputes runs its first pass without gradients: what it made must not be kept.
    if call.context.keep and not attention.training and not torch.is_grad_enabled():
        call.context.pairs[layer] = pairs
    return pairs


def _add(
    attention: Any,
    query: torch.Tensor,
    merged: torch.Tensor,
    pair: SlowPair,
    spans: Spans,
    scaling: float,
) -> torch.Tensor:
    """[R, L, H * d] with context where rows that share a video query; they query at the same places."""
    asking = torch.cat([query[:, :, start:stop] for start, stop in spans], dim=2)  # [R, H, Q, d]
    state = torch.cat([merged[:, start:stop] for start, stop in spans], dim=1)  # [R, Q, H * d]
    updated = state + _attend(asking, pair, scaling) * attention.slow_gate(state)
    pieces, at, taken = [], 0, 0
    for start, stop in spans:
        pieces += [merged[:, at:start], updated[:, taken : taken + stop - start]]
        at, taken = stop, taken + stop - start
    return torch.cat([*pieces, merged[:, at:]], dim=1)


def _attend(query: torch.Tensor, pair: SlowPair, scaling: float) -> torch.Tensor:
    """[R, H, Q, d] -> [R, Q, H * d].

    Without a causal mask, rows that share a video and the heads of a key/value head are further query
    positions: folded so, keys and values are never repeated and no mask is needed.
    """
    key, value = pair
    rows, heads, length, width = query.shape
    split = (rows, len(key), heads // len(key), length)
    folded = query.to(key.dtype).view(*split, width).transpose(0, 1).flatten(1, 3)  # [K, R * G * Q, d]
    context = scaled_dot_product_attention(folded[None], key[None], value[None], scale=scaling)[0]
    context = context.view(len(key), rows, *split[2:], width)  # [K, R, G, Q, d]
    return context.permute(1, 3, 0, 2, 4).flatten(2).to(query.dtype)
