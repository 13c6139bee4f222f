"""Peak memory of this process and its device."""

from __future__ import annotations

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
