"""Hybrid decoder layers: Qwen2's self-attention plus cross-attention to slow tokens before the shared o_proj.

Legend for shapes: B batch, L positions, N slow tokens, D hidden size, H heads, K key/value heads,
G = H / K heads a key/value head, d head size, Q positions that query.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen2.modeling_qwen2 import (
    Qwen2Attention,
    Qwen2DecoderLayer,
    apply_rotary_pos_emb,
    eager_attention_forward,
    rotate_half,
)

from sf_eval.core.errors import UsageError
from sf_eval.model.cache import SlowFastCache
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.placement import compute_device
from sf_eval.model.slow_state import QueryGroup, SlowPass, Span

SlowPair = tuple[torch.Tensor, torch.Tensor]


class SlowAttentionCore(nn.Module):
    """softmax(q k^T / sqrt(d)) v over slow tokens, by whichever attention implementation is configured.

    Without a causal mask the G query heads of a key/value head are just further query positions, so they are
    folded into the length: every implementation then sees as many query heads as key/value heads, and keys
    and values are never repeated. Each call has one number of slow tokens, so no mask is needed either.
    """

    num_key_value_groups = 1
    is_causal = False

    def __init__(self, config: SlowFastConfig, layer_idx: int, scaling: float) -> None:
        super().__init__()
        self.config = config
        self.layer_idx = layer_idx
        self.scaling = scaling

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """query [B, H, Q, d], key and value [b, K, N, d] -> [B, Q, H * d]; b is B, or 1 if shared."""
        rows, heads, length, head_dim = query.shape
        batch, kv_heads = key.shape[:2]
        each = rows // batch  # rows that share keys and values: further query positions as well
        folded = query.reshape(batch, each, kv_heads, heads // kv_heads, length, head_dim)
        folded = folded.transpose(1, 2).flatten(2, 4)  # [b, K, B / b * G * Q, d]
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        context, _ = attend(
            self, folded, key, value, None, dropout=0.0, scaling=self.scaling, is_causal=False
        )  # [b, B / b * G * Q, K, d]
        context = context.unflatten(1, (each, heads // kv_heads, length)).flatten(0, 1)  # [B, G, Q, K, d]
        merged: torch.Tensor = context.permute(0, 2, 3, 1, 4).flatten(2)  # [B, Q, H * d]
        return merged


class HybridAttention(Qwen2Attention):  # type: ignore[misc]
    """Qwen2's attention whose output, at positions that query, gains gated context from the slow tokens."""

    def __init__(self, config: SlowFastConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        width = config.num_key_value_heads * self.head_dim * 2
        self.cross_attn_kv_proj = nn.Linear(config.hidden_size, width)
        gate: list[nn.Module] = [nn.Linear(config.hidden_size, 1)]
        if "tanh" in config.cross_attn_gating_type:
            gate.append(nn.Tanh())
        self.cross_attn_gate_proj = nn.Sequential(*gate)
        self.has_warm_up_gate = config.cross_attn_gating_type.endswith("warmup")
        if self.has_warm_up_gate:
            self.cross_attn_warm_up_gate = nn.Parameter(torch.zeros(1))
        self.slow_core = SlowAttentionCore(config, layer_idx, self.scaling)

    def forward(
        self,
        hidden_states: torch.Tensor,
        position_embeddings: tuple[torch.Tensor, torch.Tensor],
        attention_mask: torch.Tensor | None,
        past_key_values: Any = None,
        slow_groups: tuple[QueryGroup, ...] = (),
        slow_pairs: list[SlowPair | None] | None = None,
        **kwargs: Any,
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """As Qwen2Attention's: hidden_states [B, L, D] -> [B, L, D] and weights where eager gives them.

        Args:
            slow_groups: who queries slow tokens.
            slow_pairs: slow keys and values [b, K, N, d] of each part of the batch.
        """
        batch, length = hidden_states.shape[:2]
        split = (batch, length, -1, self.head_dim)
        query = self.q_proj(hidden_states).view(split).transpose(1, 2)  # [B, H, L, d]
        key = self.k_proj(hidden_states).view(split).transpose(1, 2)  # [B, K, L, d]
        value = self.v_proj(hidden_states).view(split).transpose(1, 2)
        query, key = apply_rotary_pos_emb(query, key, *position_embeddings)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(
            self.config._attn_implementation, eager_attention_forward
        )
        output, weights = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=self.attention_dropout if self.training else 0.0,
            scaling=self.scaling,
            sliding_window=self.sliding_window,
            **kwargs,
        )
        output = output.reshape(batch, length, -1)  # [B, L, H * d]
        if slow_pairs and slow_groups:
            output = output + self.slow_update(query, output, slow_pairs, slow_groups)
        return self.o_proj(output), weights

    def project_slow(
        self, slow_BND: torch.Tensor, rotation: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Normed slow tokens [B, N, D] -> keys and values [B, K, N, d].

        The projection's output is laid out per key/value head, key then value. No rotary embedding, but for
        keys that a `rotation` [2, B, N, d] is given for.
        """
        batch, count = slow_BND.shape[:2]
        pairs = self.cross_attn_kv_proj(slow_BND).view(batch, count, -1, 2, self.head_dim)  # [B, N, K, 2, d]
        key, value = pairs.permute(3, 0, 2, 1, 4).contiguous().unbind(0)
        if rotation is None:
            return key, value
        # The key is a tensor of its own now; as a view the value would keep the whole projection beside it.
        return _rotated(key, rotation), value.clone()

    def slow_update(
        self,
        query: torch.Tensor,
        output: torch.Tensor,
        slow: list[SlowPair | None],
        groups: tuple[QueryGroup, ...],
    ) -> torch.Tensor:
        """What cross-attention adds to the output [B, L, H * d]; zero where nothing queries."""
        update = torch.zeros_like(output)
        for group in groups:
            pair = slow[group.part]
            assert pair is not None  # a part without a video has no group
            key, value = (of_part[group.within, :, : group.slow_length] for of_part in pair)
            state = _gather(output[group.rows], group.spans, dim=1)  # [b, Q, H * d]
            context = self.slow_core(_gather(query[group.rows], group.spans, dim=2), key, value)
            _scatter(update, context * self._gate(state), group)
        return update

    def _gate(self, state: torch.Tensor) -> torch.Tensor:
        """One scalar a token: [b, Q, H * d] -> [b, Q, 1]."""
        gate: torch.Tensor = self.cross_attn_gate_proj(state)
        return gate * self.warm_up if self.has_warm_up_gate else gate

    @property
    def warm_up(self) -> torch.Tensor | float:
        """What every gate of this layer is multiplied by; 1.0 without a warm-up gate."""
        if not self.has_warm_up_gate:
            return 1.0
        # The published "vanilla" mode applies its warm-up gate without tanh.
        raw = self.cross_attn_warm_up_gate
        return raw if self.config.all_tokens_query else raw.tanh()


class HybridDecoderLayer(Qwen2DecoderLayer):  # type: ignore[misc]
    """A Qwen2 layer with `HybridAttention`."""

    def __init__(self, config: SlowFastConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        self.self_attn = HybridAttention(config, layer_idx)

    def __call__(self, hidden_states: torch.Tensor, *, slow: SlowPass | None = None, **kwargs: Any) -> Any:
        """Run the layer; the slow tokens go to `forward` by position.

        Reentrant checkpointing follows gradients through arguments by position alone, and what shards or
        offloads a layer looks for tensors among its arguments.
        """
        if slow is None:
            return super().__call__(hidden_states, **kwargs)
        return super().__call__(hidden_states, slow.tokens, slow.rotation, slow_groups=slow.groups, **kwargs)

    def forward(
        self,
        hidden_states: torch.Tensor,
        slow_tokens: torch.Tensor | None = None,
        slow_rotation: torch.Tensor | None = None,
        past_key_values: Any = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """As Qwen2DecoderLayer's: [B, L, D] -> [B, L, D]. `slow_tokens` [B, N, D] are those to be projected.

        Their keys are turned by `slow_rotation` [2, B, N, d], where there is one.

        They are projected in here and nowhere else: a layer whose weights are sharded or offloaded has them
        only while it runs.
        """
        output: torch.Tensor = super().forward(
            hidden_states,
            past_key_values=past_key_values,
            slow_pairs=self._slow_pairs(past_key_values, slow_tokens, slow_rotation),
            **kwargs,
        )
        return output

    def _slow_pairs(
        self, past_key_values: Any, slow_tokens: torch.Tensor | None, slow_rotation: torch.Tensor | None
    ) -> list[SlowPair | None]:
        """Slow keys and values of each part of the batch: the cache's, or projected now and put there."""
        cache = past_key_values if isinstance(past_key_values, SlowFastCache) else None
        layer = self.self_attn.layer_idx
        if cache is not None and cache.holds_slow(layer):
            return cache.slow_of(layer)
        if slow_tokens is None:
            return []
        if slow_rotation is None and self.self_attn.config.slow_rope == "own":
            raise UsageError(
                'with slow_rope "own" slow keys need to know where their video stands in the prompt.',
                hint="Give forward or generate the prompt's input_ids, or call place_slow_tokens first.",
            )
        pair = self.project_slow(slow_tokens, slow_rotation)
        if cache is not None:
            cache.keep_slow(layer, *pair)
        return [pair]

    def project_slow(
        self, slow_BND: torch.Tensor, rotation: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Slow tokens [B, N, D] -> keys and values [B, K, N, d], through this layer's own input norm."""
        norm = self.input_layernorm
        normed = norm(slow_BND.to(device=compute_device(norm), dtype=norm.weight.dtype))
        key, value = self.self_attn.project_slow(normed, rotation)
        return key, value


def _rotated(key: torch.Tensor, rotation: torch.Tensor) -> torch.Tensor:
    """Keys [B, K, N, d] turned as queries are, by cosine and sine [2, B, N, d] of their places."""
    cosine, sine = rotation.to(key.device)[:, :, None]
    exact = key.to(rotation.dtype)
    turned: torch.Tensor = exact * cosine + rotate_half(exact) * sine
    return turned.to(key.dtype)


def _gather(tensor: torch.Tensor, spans: tuple[Span, ...], *, dim: int) -> torch.Tensor:
    """The positions in `spans` along `dim`; a view where there is one span."""
    parts = [tensor.narrow(dim, start, stop - start) for start, stop in spans]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=dim)


def _scatter(target: torch.Tensor, values: torch.Tensor, group: QueryGroup) -> None:
    """Write `values` [b, Q, ...] to the group's rows and spans of `target` [B, L, ...]."""
    at = 0
    for start, stop in group.spans:
        target[group.rows, start:stop] = values[:, at : at + stop - start]
        at += stop - start
