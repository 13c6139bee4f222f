"""`--device` and `--dtype`, read into what torch understands."""

from __future__ import annotations

import torch

from sf_eval.core.errors import UsageError

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """`auto` is the first GPU where there is one, else the CPU.

    Raises:
        UsageError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(
            f"--device {name} is not a device.", hint="Use auto, cpu, cuda or cuda:N."
        ) from error
    if device.type == "cpu":
        return device
    if device.type != "cuda" or not torch.cuda.is_available():
        raise UsageError(
            f"--device {name}: this machine has no such device that torch can use.", hint="Use --device cpu."
        )
    index = device.index or 0
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"--device {name}: this machine has {torch.cuda.device_count()} GPU(s), counted from 0."
        )
    return torch.device("cuda", index)


def resolve_dtype(name: str, device: torch.device) -> torch.dtype | None:
    """`auto` is float32 on the CPU (half precision is slow and coarse there), the checkpoint's own on a GPU.

    Returns:
        None for "the checkpoint's own".

    Raises:
        UsageError: an unknown name.
    """
    if name == "auto":
        return torch.float32 if device.type == "cpu" else None
    if name not in DTYPES:
        raise UsageError(f"--dtype {name} is unknown.", hint=f"Use auto, {', '.join(DTYPES)}.")
    return DTYPES[name]


def total_memory(device: torch.device) -> int:
    """Bytes of memory of the GPU, or of the machine for the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    import psutil

    return int(psutil.virtual_memory().total)
