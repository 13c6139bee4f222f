"""Self-attention keys and values that grow in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Self-attention keys and values of one layer, with room for more: an update writes what is new alone.

    transformers' own layer copies all it holds at every step.
    """

    def __init__(self, sources: Sequence[Any], length: int, room: int) -> None:
        super().__init__()
        self._room = [self._fill(sources, name, length, room) for name in ("keys", "values")]
        self.lazy_initialization(*self._room)
        self._show(length)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add [B, H_kv, n, head_dim]; all keys and values so far."""
        start = self.get_seq_length()
        stop = start + key_states.shape[-2]
        in_room = self.keys is self._shown and stop <= self._room[0].shape[-2]
        if not in_room:  # rows were picked or repeated, or the room is used up
            keys, values = super().update(key_states, value_states, *args, **kwargs)
            return keys, values
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start:stop] = new
        self._show(stop)
        keys, values = self.keys, self.values
        return keys, values

    def _show(self, length: int) -> None:
        self.keys, self.values = (room[:, :, :length] for room in self._room)
        self._shown = self.keys

    @staticmethod
    def _fill(sources: Sequence[Any], name: str, length: int, room: int) -> torch.Tensor:
        kept = [getattr(source, name) if source.get_seq_length() else None for source in sources]
        like = next(tensor for tensor in kept if tensor is not None)
        filled: torch.Tensor = like.new_zeros(len(sources), like.shape[1], length + room, like.shape[3])
        for row, tensor in enumerate(kept):
            if tensor is not None:
                filled[row, :, length - tensor.shape[2] : length] = tensor[0]
        return filled
