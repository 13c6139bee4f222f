"""Peak memory of this process and its device, and giving back what a run took."""

from __future__ import annotations

import gc

import torch

from sf_eval.harness.record import MemoryRecord
from sf_eval.inference.machine import peak_memory


def measure(device: torch.device) -> MemoryRecord:
    """What was the most so far; device figures only where there is a GPU."""
    peak = peak_memory(device)
    return MemoryRecord(
        process_peak_bytes=peak.process,
        device_allocated_peak_bytes=peak.device_allocated,
        device_reserved_peak_bytes=peak.device_reserved,
    )


def release() -> None:
    """Free a model that nobody refers to any more, so that the next has room; count peaks anew."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
