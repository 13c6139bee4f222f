"""Keys and values of prompts, joined to the rows of a batch.

Shapes: B rows, L positions, K key/value heads, d head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import pad


@dataclass(frozen=True, eq=False)
class Rows:
    """What some rows have read so far.

    Attributes:
        cache: transformers' cache of these rows; None of no positions.
        mask: bool [B, L], false on padding.
    """

    cache: Any
    mask: torch.Tensor

    @property
    def length(self) -> int:
        return self.mask.shape[1]


def can_join(config: Any) -> bool:
    """Whether a decoder keeps all keys and values of all positions.

    Args:
        config: of the language model.
    """
    kinds = getattr(config, "layer_types", None)
    if kinds is not None:
        return all(kind == "full_attention" for kind in kinds)
    return not (getattr(config, "use_sliding_window", False) or getattr(config, "sliding_window", None))


def joined(parts: Sequence[Rows]) -> Rows:
    """All rows as one batch, padded on the left; the parts stay as they are."""
    from transformers import DynamicCache

    longest = max(part.length for part in parts)
    mask = torch.cat([pad(part.mask, (longest - part.length, 0)) for part in parts])
    held = next((part.cache for part in parts if part.cache is not None), None)
    if held is None:
        return Rows(None, mask)
    cache = DynamicCache()
    for index, layer in enumerate(held.layers):
        pairs = [_padded(part, index, layer, longest) for part in parts]
        keys, values = (torch.cat(side) for side in zip(*pairs, strict=True))
        cache.update(keys, values, index)
    return Rows(cache, mask)


def _padded(part: Rows, index: int, like: Any, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values [B, K, longest, d] of one layer."""
    if part.cache is None:
        count = part.mask.shape[0]
        return (
            like.keys.new_zeros(count, like.keys.shape[1], longest, like.keys.shape[3]),
            like.values.new_zeros(count, like.values.shape[1], longest, like.values.shape[3]),
        )
    layer, room = part.cache.layers[index], longest - part.length
    return pad(layer.keys, (0, 0, room, 0)), pad(layer.values, (0, 0, room, 0))
