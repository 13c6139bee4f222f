"""Peak memory of this process and its device, and giving back what a run took."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path

import torch

from sf_eval.harness.record import MemoryRecord
from sf_eval.inference.machine import peak_memory

_CLEAR_REFS = Path("/proc/self/clear_refs")


def measure(device: torch.device, *, forecast: int | None = None) -> MemoryRecord:
    """What was the most so far, beside what was foreseen; device figures only where there is a GPU."""
    peak = peak_memory(device)
    return MemoryRecord(
        process_peak_bytes=peak.process,
        device_allocated_peak_bytes=peak.device_allocated,
        device_reserved_peak_bytes=peak.device_reserved,
        forecast_bytes=forecast,
    )


def release(device: torch.device) -> None:
    """Free a model that nobody refers to any more, so that the next has room; count peaks anew.

    Only Linux can count a process's peak anew, where /proc may be written; elsewhere a later run's covers the
    earlier runs too.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with contextlib.suppress(OSError):
        # 5 resets the peak resident set, which getrusage reports (proc_pid_clear_refs(5)).
        _CLEAR_REFS.write_text("5", encoding="ascii")
