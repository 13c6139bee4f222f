"""Where a model looks: its attention over slow tokens, recomputed from the queries and keys of its hybrid layers.

No fast implementation of attention (SDPA, flash) gives its weights away. The queries and keys pass by, though:
softmax(q k^T / sqrt(d)) of them is worked out beside the model, in float32, and changes nothing in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from sf_eval.core.errors import UsageError
from sf_eval.model.attention import HybridAttention, SlowAttentionCore
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.shared_prefix import Prefix, SharedAnswer, answer_suffixes

Asker = Literal["question", "last", "answer"]
ASKERS: tuple[Asker, ...] = ("question", "last", "answer")
"""Whose attention it is: the mean over all prompt tokens behind the video (the question, its options and the
markup); the last of them, which gives the first word of the answer; the mean over the answer's own tokens."""

_WEIGHTS_AT_ONCE = 1 << 25  # of one layer, in float32: a long prompt asks in parts


@dataclass(frozen=True, eq=False)
class Look:
    """What one answer looked at.

    Attributes:
        answer: the answer itself, the same as without looking.
        layers: the hybrid layers, by their number in the model.
        attention: [L, N] a asker, over the N slow tokens; each row sums to 1. Mean over the heads and over the
            asker's positions. No "answer" where no token of the answer queried slow tokens: it had a single
            token, or `decode_slow_attention` is off.
        gates: [L] a asker: the gate by which the layer multiplied what it had found, mean over positions.
    """

    answer: SharedAnswer
    layers: tuple[int, ...]
    attention: dict[Asker, torch.Tensor]
    gates: dict[Asker, torch.Tensor]


@dataclass(eq=False)
class _Pass:
    """One forward pass of one layer: weights [Q, N] and gates [Q] that were summed up over its queries."""

    mean: torch.Tensor
    last: torch.Tensor
    gates: torch.Tensor


@dataclass
class _Watched:
    passes: dict[int, list[_Pass]] = field(default_factory=dict)


def look(
    model: SlowFastForConditionalGeneration,
    prefix: Prefix,
    suffix: Sequence[int],
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
) -> Look:
    """Answer one question as `answer_suffixes` does, and see where its tokens looked.

    Args:
        prefix: of a prompt with a video.

    Raises:
        UsageError: nothing queries slow tokens: the slow path is off, or the prefix has no video.
        PromptError, PromptTooLongError: see `answer_suffixes`.
    """
    if model.config.slow_path != "on" or not model.config.hybrid_layers or not any(prefix.cache.slow_lengths):
        raise UsageError("nothing looks at slow tokens here: the slow path is off, or there is no video.")
    with _watching(model) as watched:
        (answer,) = answer_suffixes(
            model, [(prefix, suffix)], max_new_tokens=max_new_tokens, stop_ids=stop_ids
        )
    layers = tuple(sorted(watched.passes))
    prompt = [watched.passes[layer][0] for layer in layers]
    attention: dict[Asker, torch.Tensor] = {
        "question": torch.stack([one.mean for one in prompt]),
        "last": torch.stack([one.last for one in prompt]),
    }
    gates: dict[Asker, torch.Tensor] = {
        "question": torch.stack([one.gates.mean() for one in prompt]),
        "last": torch.stack([one.gates[-1] for one in prompt]),
    }
    if all(len(watched.passes[layer]) > 1 for layer in layers):
        later = [watched.passes[layer][1:] for layer in layers]
        attention["answer"] = torch.stack([torch.stack([one.mean for one in each]).mean(0) for each in later])
        gates["answer"] = torch.stack([torch.stack([one.gates.mean() for one in each]).mean() for each in later])
    return Look(answer, layers, attention, gates)


@contextmanager
def _watching(model: SlowFastForConditionalGeneration) -> Iterator[_Watched]:
    """While this is open, every pass of the model is watched."""
    watched = _Watched()
    with ExitStack() as hooks:
        for layer in model.config.hybrid_layers:
            attention: HybridAttention = model.model.layers[layer].self_attn
            watched.passes[layer] = passes = []
            hooks.callback(attention.slow_core.register_forward_pre_hook(_weights_into(passes)).remove)
            hooks.callback(attention.cross_attn_gate_proj.register_forward_hook(_gates_into(passes, attention)).remove)
        yield watched


def _weights_into(passes: list[_Pass]) -> Any:
    def hook(core: SlowAttentionCore, arguments: tuple[torch.Tensor, ...]) -> None:
        mean, last = attention_weights(*arguments[:2], core.scaling)
        passes.append(_Pass(mean.cpu(), last.cpu(), torch.empty(0)))

    return hook


def _gates_into(passes: list[_Pass], attention: HybridAttention) -> Any:
    def hook(_: Any, __: Any, gate: torch.Tensor) -> None:
        passes[-1].gates = (gate * attention.warm_up).float().flatten().cpu()

    return hook


def attention_weights(
    query: torch.Tensor, key: torch.Tensor, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(q k^T * scaling), mean over heads.

    Args:
        query: [1, H, Q, d].
        key: [1, K, N, d]; each serves H / K query heads.

    Returns:
        Mean over the Q positions [N], and of the last one [N]; float32.
    """
    heads, length = query.shape[1:3]
    kv_heads, count = key.shape[1:3]
    keys = key[0].float().transpose(-1, -2)  # [K, d, N]
    queries = query[0].float().unflatten(0, (kv_heads, heads // kv_heads))  # [K, G, Q, d]
    total = queries.new_zeros(count)
    last = total
    for part in queries.split(max(_WEIGHTS_AT_ONCE // (heads * count), 1), dim=2):
        weights = torch.softmax(part @ keys[:, None] * scaling, dim=-1)  # [K, G, q, N]
        total = total + weights.sum(2).mean((0, 1))
        last = weights[:, :, -1].mean((0, 1))
    return total / length, last
