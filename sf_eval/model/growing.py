"""Self-attention keys and values that grow in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """Self-attention keys and values of one layer, with room for more: an update writes what is new alone.

    transformers' own layer copies all it holds at every step. Whoever sets `keys` or `values` (rows were
    picked or repeated), or uses the room up, goes on with a layer of that kind.

    A compiled layer meets the room alone: of a tensor that is written to and a view of it beside, as two
    inputs, torch 2.15 compiles nothing.
    """

    _room: tuple[torch.Tensor, torch.Tensor] | None = None  # [B, H_kv, capacity, head_dim] each
    _length = 0  # positions of the room that are filled
    _own: dict[str, Any]  # keys and values where there is no room

    def __init__(self, sources: Sequence[Any], length: int, room: int) -> None:
        self._own = {}
        super().__init__()
        filled = (_filled(sources, "keys", length, room), _filled(sources, "values", length, room))
        self.lazy_initialization(*filled)
        self._room, self._length = filled, length

    @property
    def keys(self) -> Any:
        """[B, H_kv, positions so far, head_dim]."""
        return self._own["keys"] if self._room is None else self._room[0][:, :, : self._length]

    @keys.setter
    def keys(self, keys: Any) -> None:
        self._leave_room()
        self._own["keys"] = keys

    @property
    def values(self) -> Any:
        """As `keys`."""
        return self._own["values"] if self._room is None else self._room[1][:, :, : self._length]

    @values.setter
    def values(self, values: Any) -> None:
        self._leave_room()
        self._own["values"] = values

    def get_seq_length(self) -> int:
        return int(super().get_seq_length()) if self._room is None else self._length

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add [B, H_kv, n, head_dim]; all keys and values so far."""
        start, stop = self._length, self._length + key_states.shape[-2]
        if self._room is None or stop > self._room[0].shape[-2]:
            keys, values = super().update(key_states, value_states, *args, **kwargs)
            return keys, values
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start:stop] = new
        self._length = stop
        return self._room[0][:, :, :stop], self._room[1][:, :, :stop]

    def _leave_room(self) -> None:
        if self._room is not None:
            self._own = {"keys": self.keys, "values": self.values}
            self._room = None


def _filled(sources: Sequence[Any], name: str, length: int, room: int) -> torch.Tensor:
    """[B, H_kv, length + room, head_dim]: each source's against the right edge of the length."""
    kept = [getattr(source, name) if source.get_seq_length() else None for source in sources]
    like = next(tensor for tensor in kept if tensor is not None)
    filled: torch.Tensor = like.new_zeros(len(sources), like.shape[1], length + room, like.shape[3])
    for row, tensor in enumerate(kept):
        if tensor is not None:
            filled[row, :, length - tensor.shape[2] : length] = tensor[0]
    return filled
