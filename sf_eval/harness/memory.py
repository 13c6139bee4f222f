"""Peak memory of this process and its device."""

from __future__ import annotations

import resource
import sys

import torch

from sf_eval.harness.record import MemoryRecord


def measure(device: torch.device) -> MemoryRecord:
    """What was the most so far; device figures only where there is a GPU (never 0 for "not measured")."""
    # ru_maxrss is in KiB on Linux and in bytes on macOS (getrusage(2)).
    unit = 1 if sys.platform == "darwin" else 1024
    on_gpu = device.type == "cuda"
    return MemoryRecord(
        process_peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        device_allocated_peak_bytes=torch.cuda.max_memory_allocated(device) if on_gpu else None,
        device_reserved_peak_bytes=torch.cuda.max_memory_reserved(device) if on_gpu else None,
    )
