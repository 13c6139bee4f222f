"""Who queries slow tokens, and the slow keys and values they find."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch

Span = tuple[int, int]


@dataclass(frozen=True)
class QueryGroup:
    """Rows of a batch whose queries for slow tokens lie at the same places.

    Attributes:
        rows: the rows, as a slice of the batch.
        spans: half-open ranges of positions in this forward pass.
        slow_length: slow tokens of each of these rows.
        part: which of the cache's `SlowPart`s they belong to.
        within: where their keys and values lie in it; one entry for several rows where they are shared.
    """

    rows: slice
    spans: tuple[Span, ...]
    slow_length: int
    part: int
    within: slice


@dataclass(frozen=True)
class SlowPass:
    """What one forward pass is told of the slow path; handed from layer to layer as the argument `slow`.

    It does not travel in the cache, which checkpointed layers are not given.

    Attributes:
        groups: who queries slow tokens.
        tokens: [B, N, D], padded to the longest video, for the layers that the cache has no keys and values
            for yet; None where it has them all.
        rotation: [2, B, N, d], cosine and sine of the tokens' places, by which their keys are turned; None
            for keys that are not.
    """

    groups: tuple[QueryGroup, ...]
    tokens: torch.Tensor | None = None
    rotation: torch.Tensor | None = None


@dataclass(frozen=True)
class SlowPart:
    """Slow keys and values of consecutive rows of a batch.

    Attributes:
        lengths: slow tokens of each row; 0 for a row without a video.
        keys, values: per hybrid layer [b, H_kv, N, head_dim], padded to the longest video N; b is the number
            of rows, or 1 where all rows share the one video.
    """

    lengths: tuple[int, ...]
    keys: dict[int, torch.Tensor] = field(default_factory=dict)
    values: dict[int, torch.Tensor] = field(default_factory=dict)

    @property
    def shared(self) -> bool:
        return all(len(keys) == 1 for keys in self.keys.values())

    def pick(self, rows: Sequence[int]) -> SlowPart:
        """These rows, in this order, repeated or left out. Shared keys and values stay the same tensors."""
        lengths = tuple(self.lengths[row] for row in rows)
        if self.shared:
            return SlowPart(lengths, self.keys, self.values)

        def picked(tensors: dict[int, torch.Tensor]) -> dict[int, torch.Tensor]:
            index = torch.tensor(rows)
            return {layer: kept.index_select(0, index.to(kept.device)) for layer, kept in tensors.items()}

        return SlowPart(lengths, picked(self.keys), picked(self.values))

    def groups(self, spans: Sequence[tuple[Span, ...]], *, part: int, first: int) -> Iterator[QueryGroup]:
        """Rows that query alike together: all if they do, else one by one; those that do not, left out.

        Args:
            spans: of each row.
            part, first: this part's place among the parts, and its first row's in the batch.
        """
        rows = list(zip(spans, self.lengths, strict=True))
        alike = len(set(rows)) == 1
        for row, (of_row, length) in enumerate(rows[:1] if alike else rows):
            if of_row and length:
                count = len(rows) if alike else 1
                within = slice(0, 1) if self.shared and self.keys else slice(row, row + count)
                yield QueryGroup(slice(first + row, first + row + count), of_row, length, part, within)
