"""Which machine this is, which libraries it has, and what its device reaches at best."""

from __future__ import annotations

import importlib.metadata
import subprocess

import torch

from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row
from sf_eval.profiler.measured import hardware

_PACKAGES = (
    "torch", "transformers", "torchvision", "timm", "accelerate", "triton", "numpy", "safetensors",
    "flash-attn", "av", "pydantic", "rich", "torchcodec", "decord",
)  # fmt: skip
_ASKED_OF_DRIVER = (
    "name,driver_version,memory.total,memory.used,clocks.sm,clocks.max.sm,power.limit,temperature.gpu"
)


def run(book: Book) -> None:
    device = torch.device(book.setup.device)
    described = hardware.describe(device)
    book.put("device_name", described["device_name"])
    book.put("machine", described)
    book.put("packages", {name: _version(name) for name in _PACKAGES})
    dtype = torch.float32 if book.setup.dry else torch.bfloat16
    if device.type == "cuda":
        torch.cuda.set_device(device)
        book.put("driver", _driver())
        book.put("foreign_load", hardware.foreign_load(device))
    peak = hardware.measure_peak(device, dtype)
    name = str(dtype).removeprefix("torch.")
    what, note = f"a large {name} matrix product, at best", _sheet(peak.sheet_flops, 1e12, "TFLOP/s")
    book.row(Row("machine.flops", what, peak.measured_flops, "FLOP/s", note=note))
    what, note = "a large copy, bytes read and written, at best", _sheet(peak.sheet_bytes, 1e12, "TB/s")
    book.row(Row("machine.bandwidth", what, peak.measured_bytes, "byte/s", note=note))


def _sheet(value: float | None, scale: float, unit: str) -> str:
    return "no data sheet's figure is known" if value is None else f"data sheet: {value / scale:g} {unit}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _driver() -> str:
    """What nvidia-smi says; asking changes no setting."""
    command = ["nvidia-smi", f"--query-gpu={_ASKED_OF_DRIVER}", "--format=csv,noheader"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=15, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return f"nvidia-smi could not be asked ({type(error).__name__})"
