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


class SlowFastCache(DynamicCache):  # type: ignore[misc]
    """A transformers cache that also holds the slow tokens' keys and values of every hybrid layer.

    They depend on the video alone, so they are projected once, when the cache is made
    (`SlowFastForConditionalGeneration.new_cache`), and read at each step.

    Attributes:
        slow_keys, slow_values: per hybrid layer [B, H_kv, N, head_dim], padded to the longest video N.
        slow_lengths: slow tokens of each row; 0 for a row without a video.
        groups: who queries slow tokens in the forward pass at hand; set by each pass.
        prompt_mask: [B, L] of the expanded prompt, None where nothing is padded.
    """

    def __init__(self, config: Any = None) -> None:
        super().__init__(config=config)
        self.slow_keys: dict[int, torch.Tensor] = {}
        self.slow_values: dict[int, torch.Tensor] = {}
        self.slow_lengths: list[int] = []
        self.groups: list[QueryGroup] = []
        self.prompt_mask: torch.Tensor | None = None

    def set_queries(self, spans: list[tuple[Span, ...]]) -> None:
        """Say which positions of the coming forward pass query slow tokens, per row of the batch."""
        if not self.slow_keys:
            self.groups = []
            return
        rows = list(zip(spans, self.slow_lengths, strict=True))
        if len(set(rows)) == 1:
            (common, length) = rows[0]
            self.groups = [QueryGroup(slice(0, len(rows)), common, length)] if common and length else []
        else:
            self.groups = [
                QueryGroup(slice(row, row + 1), spans_of_row, length)
                for row, (spans_of_row, length) in enumerate(rows)
                if spans_of_row and length
            ]

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
        self.prompt_mask = None if self.prompt_mask is None else change(self.prompt_mask)
