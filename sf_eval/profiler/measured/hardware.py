"""The device: its name, what it can do at most, who else is using it, and memory."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import Any

import torch

from sf_eval.inference import machine
from sf_eval.profiler.measured.stopwatch import timed

# Dense 16-bit tensor-core peak (FLOP/s, float32 accumulation) and memory bandwidth (byte/s), from NVIDIA's
# data sheet of each product. A key is sought in `torch.cuda.get_device_name()`, the longest first.
DATA_SHEETS: dict[str, tuple[float, float]] = {
    "B200": (2250e12, 8.0e12),
    "GH200": (989.4e12, 4.0e12),
    "H200": (989.4e12, 4.8e12),
    "H100 PCIe": (756e12, 2.0e12),
    "H100": (989.4e12, 3.35e12),
    "A100-SXM4-80GB": (312e12, 2.039e12),
    "A100 80GB PCIe": (312e12, 1.935e12),
    "A100": (312e12, 1.555e12),
    "L40S": (362.05e12, 0.864e12),
    "L4": (121e12, 0.3e12),
    "A10": (125e12, 0.6e12),
    "A40": (149.7e12, 0.696e12),
    "RTX 4090": (165.2e12, 1.008e12),
    "RTX 3090": (71e12, 0.936e12),
}
_IDLE_GPU_BYTES = 1 << 30


@dataclass(frozen=True)
class Peak:
    """What the device reaches at best.

    Attributes:
        measured_flops: FLOP/s of one large matrix product in the measured dtype.
        measured_bytes: bytes read and written a second by one large copy.
        sheet_flops, sheet_bytes: the data sheet's; None for a device that is not in `DATA_SHEETS`, and for
            float32, whose peak depends on whether TF32 is allowed.
    """

    measured_flops: float
    measured_bytes: float
    sheet_flops: float | None
    sheet_bytes: float | None


def describe(device: torch.device) -> dict[str, Any]:
    """Everything about the machine that a latency depends on."""
    return {
        **machine.describe(device),
        "device_name": machine.device_name(device),
        "torch": torch.__version__,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
    }


def measure_peak(device: torch.device, dtype: torch.dtype) -> Peak:
    """Best of several large products and copies, after warming up."""
    side, count = (8192, 1 << 30) if device.type == "cuda" else (1024, 1 << 26)
    left = torch.randn(side, side, device=device, dtype=dtype)
    out = torch.empty_like(left)
    product = min(timed(lambda: torch.mm(left, left, out=out), device)[0] for _ in range(6))
    # Not zeros, which hardware may move faster than data.
    source = torch.empty(count // 8, dtype=torch.int64, device=device).random_()
    target = torch.empty_like(source)
    copied = min(timed(lambda: target.copy_(source), device)[0] for _ in range(6))
    sheet_flops, sheet_bytes = (
        _data_sheet(machine.device_name(device)) if device.type == "cuda" else (None, None)
    )
    return Peak(
        measured_flops=2 * side**3 / product,
        measured_bytes=2 * count / copied,
        sheet_flops=sheet_flops if dtype in (torch.bfloat16, torch.float16) else None,
        sheet_bytes=sheet_bytes,
    )


def _data_sheet(name: str) -> tuple[float | None, float | None]:
    for key in sorted(DATA_SHEETS, key=len, reverse=True):
        if key in name:
            return DATA_SHEETS[key]
    return None, None


def foreign_load(device: torch.device) -> list[str]:
    """Signs that somebody else uses the device, as sentences; empty where there are none.

    On a GPU: other processes that nvidia-smi lists, and memory in use that is not ours (seen also from inside
    a container). On the CPU: a load average above half of the cores before we start.
    """
    if device.type == "cuda":
        return _foreign_on_gpu(device)
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores / 2:
        return [
            f"the machine's load average is {load:.1f} on {cores} cores: other work slows this measurement."
        ]
    return []


def _foreign_on_gpu(device: torch.device) -> list[str]:
    signs = []
    free, total = torch.cuda.mem_get_info(device)
    ours = torch.cuda.memory_reserved(device)
    if total - free - ours > _IDLE_GPU_BYTES:
        gib = (total - free - ours) / 2**30
        signs.append(f"{gib:.1f} GiB of the GPU's memory is in use by others (or by contexts and libraries).")
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader"]
    # By its own id: CUDA_VISIBLE_DEVICES renumbers for torch, not for nvidia-smi.
    gpu = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    try:
        listed = subprocess.run(
            [*query, f"--id={gpu}"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        signs.append(f"nvidia-smi could not be asked for other processes ({type(error).__name__}).")
        return signs
    others = [line for line in listed.splitlines() if line and line.split(",")[0].strip() != str(os.getpid())]
    if others:
        signs.append(f"nvidia-smi lists {len(others)} other processes on the GPU: {'; '.join(others)}.")
    return signs


def reset_gpu_memory(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
