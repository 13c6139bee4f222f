"""All state of one conversation: self-attention keys and values, and those of the slow tokens.

Nothing about a video is kept on the layers, so that threads can share one model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

Span = tuple[int, int]


@dataclass(frozen=True)
class QueryGroup:
    """Rows of a batch whose queries for slow tokens lie at the same places.

    Attributes:
        rows: the rows, as a slice of the batch.
        spans: half-open ranges of positions in this forward pass.
        slow_length: slow tokens of each of these rows.
    """

    rows: slice
    spans: tuple[Span, ...]
    slow_length: int


@dataclass(frozen=True)
class SlowPass:
    """What one forward pass is told of the slow path; handed from layer to layer as the argument `slow`.

    It does not travel in the cache, which checkpointed layers are not given.

    Attributes:
        groups: who queries slow tokens.
        tokens: [B, N, D], padded to the longest video, for the layers that the cache has no keys and values
            for yet; None where it has them all.
    """

    groups: tuple[QueryGroup, ...]
    tokens: torch.Tensor | None = None


def query_groups(spans: list[tuple[Span, ...]], slow_lengths: list[int]) -> tuple[QueryGroup, ...]:
    """Rows that query alike together: all of them if they do, else one by one; rows that do not, left out."""
    rows = list(zip(spans, slow_lengths, strict=True))
    if len(set(rows)) == 1:
        (common, length) = rows[0]
        return (QueryGroup(slice(0, len(rows)), common, length),) if common and length else ()
    return tuple(
        QueryGroup(slice(row, row + 1), spans_of_row, length)
        for row, (spans_of_row, length) in enumerate(rows)
        if spans_of_row and length
    )


class SlowFastCache(DynamicCache):  # type: ignore[misc]
    """A transformers cache that also holds the slow tokens' keys and values of every hybrid layer.

    They depend on the video alone: each hybrid layer projects them once, in the first forward pass (or
    `SlowFastForConditionalGeneration.new_cache` has it done before), and reads them at each step.

    Attributes:
        slow_keys, slow_values: per hybrid layer [B, H_kv, N, head_dim], padded to the longest video N.
        slow_lengths: slow tokens of each row; 0 for a row without a video.
        slow_tokens: [B, N, D] until every layer has projected them, then None.
        groups: who queries slow tokens in the forward pass at hand; set by each pass.
        prompt_mask: [B, L] of the expanded prompt, None where nothing is padded.
    """

    def __init__(self, config: Any = None) -> None:
        super().__init__(config=config)
        self.slow_keys: dict[int, torch.Tensor] = {}
        self.slow_values: dict[int, torch.Tensor] = {}
        self.slow_lengths: list[int] = []
        self.slow_tokens: torch.Tensor | None = None
        self.groups: tuple[QueryGroup, ...] = ()
        self.prompt_mask: torch.Tensor | None = None

    def set_queries(self, spans: list[tuple[Span, ...]]) -> None:
        """Say which positions of the coming forward pass query slow tokens, per row of the batch."""
        holds_slow = bool(self.slow_keys) or self.slow_tokens is not None
        self.groups = query_groups(spans, self.slow_lengths) if holds_slow else ()

    def slow_pass(self) -> SlowPass:
        """What the coming forward pass is told, `set_queries` having been called."""
        return SlowPass(self.groups, self.slow_tokens)

    def reorder_cache(self, beam_idx: torch.LongTensor) -> None:
        super().reorder_cache(beam_idx)
        self._select_rows(beam_idx)

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        super().batch_select_indices(indices)
        self._select_rows(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self.repeat_rows(repeats)

    def repeat_rows(self, repeats: int) -> None:
        """Repeat every row's own part, as `generate` repeats prompts for beams and several answers."""
        if repeats == 1:
            return
        self._map_slow(lambda tensor: tensor.repeat_interleave(repeats, dim=0))
        self.slow_lengths = [length for length in self.slow_lengths for _ in range(repeats)]

    def _select_rows(self, indices: torch.Tensor) -> None:
        self._map_slow(lambda tensor: tensor.index_select(0, indices.to(tensor.device)))
        self.slow_lengths = [self.slow_lengths[row] for row in indices.tolist()] if self.slow_lengths else []

    def _map_slow(self, change: Any) -> None:
        self.slow_keys = {layer: change(tensor) for layer, tensor in self.slow_keys.items()}
        self.slow_values = {layer: change(tensor) for layer, tensor in self.slow_values.items()}
        self.slow_tokens = None if self.slow_tokens is None else change(self.slow_tokens)
        self.prompt_mask = None if self.prompt_mask is None else change(self.prompt_mask)
