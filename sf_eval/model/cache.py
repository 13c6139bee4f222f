"""All state of one conversation: self-attention keys and values, and those of the slow tokens.

Nothing about a video is kept on the layers, so that threads can share one model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from sf_eval.model.growing import RoomyLayer
from sf_eval.model.slow_state import QueryGroup, SlowPart, SlowPass, Span


class SlowFastCache(DynamicCache):  # type: ignore[misc]
    """A transformers cache that also holds the slow tokens' keys and values of every hybrid layer.

    They depend on the video alone: each hybrid layer projects them once, in the first forward pass (or
    `SlowFastForConditionalGeneration.new_cache` has it done before), and reads them at each step.

    Attributes:
        config: the model's, from which transformers takes the kinds of self-attention layers.
        parts: slow keys and values, the batch's rows in order.
        slow_tokens: [B, N, D] until every layer has projected them, then None.
        slow_rotation: [2, B, N, d], see `SlowPass`, as long as there are `slow_tokens`; None where slow keys
            are not rotated, or where nobody has said yet where they stand.
        groups: who queries slow tokens in the forward pass at hand; set by each pass.
        prompt_mask: [B, L] of the expanded prompt, None where nothing is padded.
    """

    def __init__(self, config: Any = None, *, slow_lengths: Sequence[int] = ()) -> None:
        super().__init__(config=config)
        self.config = config
        self.parts: list[SlowPart] = [SlowPart(tuple(slow_lengths))]
        self.slow_tokens: torch.Tensor | None = None
        self.slow_rotation: torch.Tensor | None = None
        self.groups: tuple[QueryGroup, ...] = ()
        self.prompt_mask: torch.Tensor | None = None

    @property
    def slow_lengths(self) -> list[int]:
        """Slow tokens of each row; 0 for a row without a video."""
        return [length for part in self.parts for length in part.lengths]

    @property
    def slow_keys(self) -> dict[int, torch.Tensor]:
        """Per hybrid layer [B, H_kv, N, head_dim]; a view where all rows are of one part, else a copy."""
        return self._whole([(part, part.keys) for part in self.parts])

    @property
    def slow_values(self) -> dict[int, torch.Tensor]:
        """As `slow_keys`."""
        return self._whole([(part, part.values) for part in self.parts])

    def holds_slow(self, layer: int) -> bool:
        """Whether this layer's slow keys and values were projected."""
        return any(layer in part.keys for part in self.parts)

    def keep_slow(self, layer: int, key: torch.Tensor, value: torch.Tensor) -> None:
        """Take what a layer projected of `slow_tokens`; a cache that is not projected yet has one part."""
        (part,) = self.parts
        part.keys[layer], part.values[layer] = key, value

    def forget_slow_tokens(self) -> None:
        """Every layer has projected them: nobody will ask for them again."""
        self.slow_tokens = self.slow_rotation = None

    def slow_of(self, layer: int) -> list[tuple[torch.Tensor, torch.Tensor] | None]:
        """This layer's slow keys and values of each part; None for a part without a video."""
        return [(part.keys[layer], part.values[layer]) if part.keys else None for part in self.parts]

    def set_queries(self, spans: list[tuple[Span, ...]]) -> None:
        """Say which positions of the coming forward pass query slow tokens, per row of the batch."""
        self.groups, first = (), 0
        if self.slow_tokens is None and not any(part.keys for part in self.parts):
            return
        for index, part in enumerate(self.parts):
            of_part = spans[first : first + len(part.lengths)]
            self.groups += tuple(part.groups(of_part, part=index, first=first))
            first += len(part.lengths)

    def slow_pass(self) -> SlowPass:
        """What the coming forward pass is told, `set_queries` having been called."""
        return SlowPass(self.groups, self.slow_tokens, self.slow_rotation)

    def fork(self, rows: int, *, room: int = 0) -> SlowFastCache:
        """A cache of `rows` rows that all go on from this one's single row, which stays as it is.

        See `join_rows`, of which this is the case of one source.
        """
        return join_rows([self] * rows, room=room)

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
        if repeats > 1 and (count := len(self.slow_lengths)):
            self._select_rows(torch.arange(count).repeat_interleave(repeats))

    def _select_rows(self, indices: torch.Tensor) -> None:
        if not self.slow_lengths:
            return
        place = [(part, row) for part in self.parts for row in range(len(part.lengths))]
        wanted = [place[index] for index in indices.tolist()]
        self.parts = [
            part.pick([row for _, row in run])
            for part, run in ((run[0][0], run) for run in _runs(wanted, key=lambda item: id(item[0])))
        ]
        for name, dim in (("slow_tokens", 0), ("slow_rotation", 1), ("prompt_mask", 0)):
            if (tensor := getattr(self, name)) is not None:
                setattr(self, name, tensor.index_select(dim, indices.to(tensor.device)))

    def _whole(self, parts: list[tuple[SlowPart, dict[int, torch.Tensor]]]) -> dict[int, torch.Tensor]:
        layers = sorted({layer for _, tensors in parts for layer in tensors})
        return {
            layer: _stack([(len(part.lengths), tensors.get(layer)) for part, tensors in parts])
            for layer in layers
        }


def _stack(parts: list[tuple[int, torch.Tensor | None]]) -> torch.Tensor:
    """(rows, their keys or values [1 or rows, K, n, d], None without a video) -> [B, K, longest n, d]."""
    if len(parts) == 1 and parts[0][1] is not None:
        return parts[0][1].expand(parts[0][0], -1, -1, -1)
    like = next(tensor for _, tensor in parts if tensor is not None)
    longest = max(tensor.shape[2] for _, tensor in parts if tensor is not None)
    whole = like.new_zeros(sum(rows for rows, _ in parts), like.shape[1], longest, like.shape[3])
    first = 0
    for rows, tensor in parts:
        if tensor is not None:
            whole[first : first + rows, :, : tensor.shape[2]] = tensor
        first += rows
    return whole


def join_rows(sources: Sequence[SlowFastCache], *, room: int = 0) -> SlowFastCache:
    """A cache whose row i goes on from `sources[i]`, each of one row; the sources stay as they are.

    Neighbours of the same source share its slow keys and values, which are never copied. Self-attention's are
    views of the source's where it is the same for all rows and `room` is 0, and are copied by the first
    update; else they are copied now, each source's against the right edge, to where `room` more positions
    can be added without another copy.

    Raises:
        ValueError: no source, or one that has not one row or has a sliding window: its places in the cache
            would not be its positions.
    """
    if not sources or any(len(source.slow_lengths) != 1 for source in sources):
        raise ValueError("rows are joined from at least one cache, each of a single row.")
    if any(getattr(layer, "is_sliding", False) for source in sources for layer in source.layers):
        raise ValueError("a cache with a sliding window cannot be forked.")
    joined = SlowFastCache(config=sources[0].config)
    runs = _runs(list(sources), key=id)
    joined.parts = [run[0].parts[0].pick([0] * len(run)) for run in runs]
    lengths = [source.get_seq_length() for source in sources]
    filled = [source for source in sources if source.get_seq_length()]
    if not filled:
        return joined
    for index in range(len(filled[0].layers)):
        if len(runs) == 1 and not room:
            layer = DynamicLayer()
            kept = sources[0].layers[index]
            layer.lazy_initialization(kept.keys, kept.values)
            layer.keys, layer.values = (
                tensor.expand(len(sources), -1, -1, -1) for tensor in (kept.keys, kept.values)
            )
        else:
            layer = RoomyLayer([source.layers[index] for source in sources], max(lengths), room)
        joined.layers[index] = layer
    if len(set(lengths)) > 1:
        places = torch.arange(max(lengths), device=filled[0].layers[0].keys.device)
        first = torch.tensor([max(lengths) - length for length in lengths], device=places.device)
        joined.prompt_mask = (places >= first[:, None]).long()
    return joined


def split_rows(cache: SlowFastCache) -> list[SlowFastCache]:
    """Take a prefilled cache apart into its rows, each a cache of its own.

    They are copies, made layer by layer: as views, each would hold the keys and values of all. What is taken
    apart is empty afterwards.

    Raises:
        ValueError: its prompts were padded, or its rows are of several parts.
    """
    if cache.prompt_mask is not None or len(cache.parts) != 1:
        raise ValueError("rows are split from a cache of prompts of one length, as they were prefilled.")
    (part,) = cache.parts
    rows = [SlowFastCache(config=cache.config, slow_lengths=[length]) for length in part.lengths]
    for layer in list(part.keys):
        key, value = part.keys.pop(layer), part.values.pop(layer)
        for row, (alone, length) in enumerate(zip(rows, part.lengths, strict=True)):
            alone.keep_slow(layer, *(whole[row : row + 1, :, :length].clone() for whole in (key, value)))
    for index, kept in enumerate(cache.layers):
        for row, alone in enumerate(rows):
            # Put into an empty layer, they are copied.
            alone.update(kept.keys[row : row + 1], kept.values[row : row + 1], index)
        kept.reset()
    return rows


_Item = TypeVar("_Item")


def _runs(items: list[_Item], *, key: Callable[[_Item], Any]) -> list[list[_Item]]:
    """Neighbours of the same key together."""
    return [list(run) for _, run in groupby(items, key=key)]
