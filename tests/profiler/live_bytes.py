"""How many bytes of tensors are alive: what an allocator on a GPU would count, on any device."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):
    """Counts the storages that operations make inside of the block, until nothing refers to them any more.

    Attributes:
        peak: the most bytes alive at once, without those that were there before; since the last `take`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._alive = 0
        self._known: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def take(self) -> int:
        """The peak since the last call, or since the beginning."""
        peak, self.peak = self.peak, self._alive
        return peak

    def __torch_dispatch__(
        self, operation: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        for storage in _storages((args, kwargs)):
            self._known.setdefault(storage, 0)
        result = operation(*args, **(kwargs or {}))
        for storage in _storages(result):
            if storage not in self._known:
                self._known[storage] = storage.nbytes()
                self._alive += storage.nbytes()
                weakref.finalize(storage, self._freed, storage.nbytes())
        self.peak = max(self.peak, self._alive)
        return result

    def _freed(self, size: int) -> None:
        self._alive -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
