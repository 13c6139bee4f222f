"""The machine that answers or is measured: its names and its peak memory, for every record of a number."""

from __future__ import annotations

import os
import platform
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


@dataclass(frozen=True)
class PeakMemory:
    """The most so far, in bytes.

    Attributes:
        process: largest resident memory of this process.
        device_allocated, device_reserved: of the GPU since the last reset; None without a GPU, never 0 for
            "not measured".
    """

    process: int
    device_allocated: int | None
    device_reserved: int | None


def processor_name() -> str:
    """As Linux names it in /proc/cpuinfo; other systems have no such file and say what they know."""
    listing = Path("/proc/cpuinfo")
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """The GPU's product name, or the processor's."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else processor_name()


def describe(device: torch.device) -> dict[str, Any]:
    """The device and the machine around it, as records keep them; a GPU's keys only where there is one."""
    described: dict[str, Any] = {
        "system": f"{platform.system()} {platform.release()}",
        "processor": processor_name(),
        "cores": os.cpu_count(),
        "device": str(device),
        "threads": torch.get_num_threads(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        described.update(
            gpu=properties.name, gpu_memory_bytes=properties.total_memory, cuda=torch.version.cuda
        )
    return described


def peak_memory(device: torch.device) -> PeakMemory:
    """What the process and its device have used at most."""
    # ru_maxrss is in KiB on Linux and in bytes on macOS (getrusage(2)).
    unit = 1 if sys.platform == "darwin" else 1024
    on_gpu = device.type == "cuda"
    return PeakMemory(
        process=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        device_allocated=torch.cuda.max_memory_allocated(device) if on_gpu else None,
        device_reserved=torch.cuda.max_memory_reserved(device) if on_gpu else None,
    )
