"""How many cores there are, and how many of them decode videos."""

from __future__ import annotations

import os

_MOST_DECODERS = 8


def usable_cores() -> int:
    """Cores that this process may use: a container or `taskset` may allow fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decoders_beside(device_type: str, cores: int) -> int:
    """Decoders beside a model on "cpu" or "cuda": on the CPU they share the cores with it, a GPU leaves them
    nearly all."""
    return max(1, min(_MOST_DECODERS, cores // 2 if device_type == "cpu" else cores - 1))


def helpers_beside(device_type: str, cores: int) -> int:
    """Decoders that help these while a model on the CPU waits for them, on its cores."""
    if device_type != "cpu":
        return 0
    return max(0, min(_MOST_DECODERS, cores) - decoders_beside(device_type, cores))
