"""Decoding with CUDA graphs over the model as it is: the same calls, captured once a length and replayed.

A graph's addresses and shapes are fixed, so keys and values need room to grow in place, and each length has
its own graph. What it measures is the time of decoding without Python and launches in the way; a program that
answers would rather capture a few lengths and mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

_WARM_UP_STEPS = 3


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values with room for more: `update` writes in place and shows a view."""

    def __init__(self, filled: DynamicLayer, room: int) -> None:
        super().__init__()
        self.dtype, self.device, self.is_initialized = filled.keys.dtype, filled.keys.device, True
        batch, heads, length, width = filled.keys.shape
        self._all_keys = filled.keys.new_zeros(batch, heads, length + room, width)
        self._all_values = torch.zeros_like(self._all_keys)
        self._all_keys[:, :, :length] = filled.keys
        self._all_values[:, :, :length] = filled.values
        self.show(length)

    def show(self, length: int) -> None:
        """Hold the first `length` tokens; what follows is free."""
        self.keys, self.values = self._all_keys[:, :, :length], self._all_values[:, :, :length]

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start = self.keys.shape[2]
        stop = start + key_states.shape[2]
        self._all_keys[:, :, start:stop] = key_states
        self._all_values[:, :, start:stop] = value_states
        self.show(stop)
        return self.keys, self.values


def make_room(cache: Any, room: int) -> None:
    """Give a filled cache room for `room` more tokens, in place."""
    cache.layers = [RoomyLayer(layer, room) for layer in cache.layers]


def rewind(cache: Any, length: int) -> None:
    """Forget all tokens of a roomy cache behind the first `length`."""
    for layer in cache.layers:
        layer.show(length)


class GraphDecoder:
    """`steps` greedy steps behind a prefill, each a CUDA graph.

    Args:
        step: one token [B, 1] -> the next one, through a cache with room for so many steps and 3 more.
        first: the prefill's token.
    """

    def __init__(
        self, step: Callable[[torch.Tensor], torch.Tensor], cache: Any, first: torch.Tensor, steps: int
    ) -> None:
        self.first = first.clone()
        self.token = first.clone()  # read and written by every graph
        self.tokens = torch.zeros(steps, *first.shape, dtype=first.dtype, device=first.device)
        length = cache.get_seq_length()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):  # so that nothing is set up for the first time during a capture
            for _ in range(_WARM_UP_STEPS):
                self.token.copy_(step(self.token))
        torch.cuda.current_stream().wait_stream(aside)
        rewind(cache, length)
        self.graphs: list[torch.cuda.CUDAGraph] = []
        for index in range(steps):
            graph = torch.cuda.CUDAGraph()
            pool = self.graphs[0].pool() if self.graphs else None
            with torch.cuda.graph(graph, pool=pool):
                self.token.copy_(step(self.token))
                self.tokens[index].copy_(self.token)
            self.graphs.append(graph)

    def decode(self) -> torch.Tensor:
        """The tokens of all steps [steps, B, 1]."""
        self.token.copy_(self.first)
        for graph in self.graphs:
            graph.replay()
        return self.tokens
