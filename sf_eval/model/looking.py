"""Where a model looks: attention over slow tokens, recomputed from queries and keys of its hybrid layers.

No fast implementation of attention (SDPA, flash) gives its weights away. The queries and keys pass by,
though: softmax(q k^T / sqrt(d)) of them is worked out beside the model, in float32, and changes nothing in
it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import torch

from sf_eval.core.errors import UsageError
from sf_eval.model.attention import HybridAttention, SlowAttentionCore
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.shared_prefix import Prefix, SharedAnswer, answer_suffixes

Asker = Literal["question", "last", "answer"]
ASKERS: tuple[Asker, ...] = ("question", "last", "answer")
"""Whose attention it is: all prompt tokens behind the video (the question, its options and the markup);
the last of them, which gives the first word of the answer; the answer's own tokens."""

_WEIGHTS_AT_ONCE = 1 << 25  # of one layer, in float32: a long prompt asks in parts


@dataclass(frozen=True, eq=False)
class Look:
    """What one answer looked at.

    Attributes:
        answer: the answer itself, the same as without looking.
        layers: the hybrid layers, by their number in the model.
        attention: [L, N] an asker, over the N slow tokens; each row sums to 1. Mean over the heads, and over
            the asker's positions by the size of their gates: a position that its gate keeps from adding
            anything counts for nothing. No "answer" where no token of the answer queried slow tokens: it had
            a single token, or `decode_slow_attention` is off.
        gates: [L] an asker: size of the gate by which the layer multiplied what it had found, mean over
            positions.
    """

    answer: SharedAnswer
    layers: tuple[int, ...]
    attention: dict[Asker, torch.Tensor]
    gates: dict[Asker, torch.Tensor]


@dataclass(frozen=True, eq=False)
class _Pass:
    """One forward pass of one layer.

    Attributes:
        summed: [N], weights of all queries, each times the size of its gate.
        last: [N], weights of the last query.
        gates: [Q], sizes of the gates.
    """

    summed: torch.Tensor
    last: torch.Tensor
    gates: torch.Tensor


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
    layers = tuple(sorted(watched))
    prompts = [watched[layer][:1] for layer in layers]
    attention: dict[Asker, torch.Tensor] = {
        "question": _stacked(prompts),
        "last": torch.stack([prompt.last for (prompt,) in prompts]),
    }
    gates: dict[Asker, torch.Tensor] = {
        "question": _mean_gates(prompts),
        "last": torch.stack([prompt.gates[-1] for (prompt,) in prompts]),
    }
    later = [watched[layer][1:] for layer in layers]
    if all(later):
        attention["answer"], gates["answer"] = _stacked(later), _mean_gates(later)
    return Look(answer, layers, attention, gates)


def _stacked(passes: Sequence[Sequence[_Pass]]) -> torch.Tensor:
    """Attention of each layer over all its passes [L, N]."""
    summed = torch.stack([torch.stack([one.summed for one in each]).sum(0) for each in passes])
    return summed / summed.sum(-1, keepdim=True).clamp(min=torch.finfo(summed.dtype).tiny)


def _mean_gates(passes: Sequence[Sequence[_Pass]]) -> torch.Tensor:
    return torch.stack([torch.cat([one.gates for one in each]).mean() for each in passes])


@contextmanager
def _watching(model: SlowFastForConditionalGeneration) -> Iterator[dict[int, list[_Pass]]]:
    """While this is open, every pass of the model's hybrid layers is watched."""
    watched: dict[int, list[_Pass]] = {}
    with ExitStack() as hooks:
        for layer in model.config.hybrid_layers:
            attention: HybridAttention = model.model.layers[layer].self_attn
            watcher = _Watcher(attention)
            watched[layer] = watcher.passes
            hooks.callback(attention.slow_core.register_forward_pre_hook(watcher.asked).remove)
            hooks.callback(attention.cross_attn_gate_proj.register_forward_hook(watcher.gated).remove)
        yield watched


class _Watcher:
    """Hooks of one layer: queries and keys come first, then the gates of the same positions."""

    def __init__(self, attention: HybridAttention) -> None:
        self.attention = attention
        self.passes: list[_Pass] = []
        self._pair: tuple[torch.Tensor, torch.Tensor] | None = None

    def asked(self, core: SlowAttentionCore, arguments: tuple[torch.Tensor, ...]) -> None:
        self._pair = (arguments[0], arguments[1])

    def gated(self, module: torch.nn.Module, arguments: Any, gate: torch.Tensor) -> None:
        assert self._pair is not None  # the core runs before its gate
        gates = (gate * self.attention.warm_up).float().abs().flatten()
        summed, last = attention_weights(*self._pair, gates, self.attention.scaling)
        self.passes.append(_Pass(summed.cpu(), last.cpu(), gates.cpu()))
        self._pair = None


def attention_weights(
    query: torch.Tensor, key: torch.Tensor, gates: torch.Tensor, scaling: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """softmax(q k^T * scaling), mean over heads.

    Args:
        query: [1, H, Q, d].
        key: [1, K, N, d]; each serves H / K query heads.
        gates: [Q].

    Returns:
        The sum over the Q positions, each times its gate [N], and the weights of the last one [N]; float32.
    """
    heads, kv_heads, count = query.shape[1], key.shape[1], key.shape[2]
    keys = key[0].float().transpose(-1, -2)  # [K, d, N]
    queries = query[0].float().unflatten(0, (kv_heads, heads // kv_heads))  # [K, G, Q, d]
    summed = last = queries.new_zeros(count)
    step = max(_WEIGHTS_AT_ONCE // (heads * count), 1)
    for part, gate in zip(queries.split(step, dim=2), gates.split(step), strict=True):
        weights = torch.softmax(part @ keys[:, None] * scaling, dim=-1).mean((0, 1))  # [q, N]
        summed = summed + (gate[:, None] * weights).sum(0)
        last = weights[-1]
    return summed, last
