"""Decoding with CUDA graphs over the model as it is: the same calls, captured once a length and replayed.

A graph's addresses and shapes are fixed, so keys and values need room to grow in place, and each length has
its own graph. What it measures is the time of decoding without Python and launches in the way; a program that
answers would rather capture a few lengths and mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP, Qwen2RMSNorm

from sf_eval.model import SlowFastForConditionalGeneration

_WARM_UP_STEPS = 3


class GraphDecoder:
    """`steps` greedy steps behind a prefill, each a CUDA graph.

    Args:
        step: one token [B, 1] and a cache -> the next token, which the cache then holds too.
        fork: makes a cache that begins with the prefill's and has room for `steps` more tokens.
        first: the prefill's token.
    """

    def __init__(
        self, step: Callable[[torch.Tensor, Any], torch.Tensor], fork: Callable[[], Any], first: torch.Tensor,
        steps: int,
    ) -> None:  # fmt: skip
        self.first = first.clone()
        self.token = first.clone()  # read and written by every graph
        self.tokens = torch.zeros(steps, *first.shape, dtype=first.dtype, device=first.device)
        aside, trial = torch.cuda.Stream(), fork()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # so that nothing is set up for the first time during a capture
            for _ in range(min(_WARM_UP_STEPS, steps)):
                self.token.copy_(step(self.token, trial))
        torch.cuda.current_stream().wait_stream(aside)
        torch.cuda.synchronize()
        self.cache = fork()  # its addresses are in the graphs
        self.graphs: list[torch.cuda.CUDAGraph] = []
        for index in range(steps):
            graph = torch.cuda.CUDAGraph()
            pool = self.graphs[0].pool() if self.graphs else None
            with torch.cuda.graph(graph, pool=pool):
                self.token.copy_(step(self.token, self.cache))
                self.tokens[index].copy_(self.token)
            self.graphs.append(graph)

    def decode(self) -> torch.Tensor:
        """The tokens of all steps [steps, B, 1]."""
        self.token.copy_(self.first)
        for graph in self.graphs:
            graph.replay()
        return self.tokens


def compile_small_kernels(model: SlowFastForConditionalGeneration, *, backend: str = "inductor") -> None:
    """Compile the decoder layers' norms and MLPs, in place: many small kernels, and alike in every layer.

    So they compile once. A whole layer holds its number, and `sf-eval profile --compile` compiles each by
    itself, which takes longer than a lent GPU is there.
    """
    for module in model.model.layers.modules():
        if isinstance(module, (Qwen2MLP, Qwen2RMSNorm)):
            module.compile(backend=backend)
