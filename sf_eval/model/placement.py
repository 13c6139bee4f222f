"""Where a module computes, also when its weights lie elsewhere until it runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn


def compute_device(module: nn.Module) -> torch.device:
    """The device that `module`, which has weights of its own, takes its inputs on.

    accelerate keeps offloaded weights on meta and brings them to another device for the time of a call: data
    that followed such a weight to meta would be lost. Its hook on the module names the device.
    """
    for hook in _accelerate_hooks(getattr(module, "_hf_hook", None)):
        device = getattr(hook, "execution_device", None)
        if device is not None:
            return torch.device(device)
    weight: torch.Tensor = next(module.parameters())
    return weight.device


def is_at_hand(module: nn.Module, data: torch.Tensor) -> bool:
    """Whether weights can be used with `data` outside of the module's call: not offloaded, not sharded."""
    weights = list(module.parameters())
    return not any(
        type(weight.data) is not torch.Tensor or weight.is_meta != data.is_meta for weight in weights
    )


def _accelerate_hooks(hook: Any) -> Iterator[Any]:
    """A hook, or those that a SequentialHook holds; the outermost first."""
    for inner in getattr(hook, "hooks", ()):
        yield from _accelerate_hooks(inner)
    if hook is not None:
        yield hook
