"""`--device` and `--dtype`, read into what torch understands."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError
from sf_eval.video import PixelRoom, ordinary_room

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(name: str) -> torch.device:
    """`auto` is this process's GPU where there is one, else the CPU; `cuda` is this process's GPU.

    That is the first, or under a launcher (torchrun, accelerate) the one with this process's `LOCAL_RANK`.

    Raises:
        UsageError: no such device on this machine.
    """
    if name == "auto" and not torch.cuda.is_available():
        return torch.device("cpu")
    if name == "auto":
        return torch.device("cuda", _own_gpu())
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
    index = _own_gpu() if device.index is None else device.index
    if index >= torch.cuda.device_count():
        raise UsageError(
            f"--device {name}: this machine has {torch.cuda.device_count()} GPU(s), counted from 0."
        )
    return torch.device("cuda", index)


def _own_gpu() -> int:
    """The GPU of this process among those that a launcher started.

    Raises:
        UsageError: there are more processes than GPUs, or `LOCAL_RANK` is no number.
    """
    rank, count = os.environ.get("LOCAL_RANK", "").strip() or "0", torch.cuda.device_count()
    if not (rank.isascii() and rank.isdecimal()):
        raise UsageError(f"LOCAL_RANK is {rank!r}; a launcher sets it to a whole number from 0.")
    if count == 1:  # the only one that the launcher lets this process see
        return 0
    if int(rank) >= count:
        raise UsageError(
            f"process {rank} of this machine has no GPU of its own: there are {count}, counted from 0.",
            hint="Start as many processes as there are GPUs, or choose with --device cuda:N.",
        )
    return int(rank)


def pixel_room(device: torch.device) -> PixelRoom:
    """Where the pictures for a model on `device` are best read into.

    A GPU copies from page-locked memory by itself, without another copy on the way: decoders' pictures are
    read there while it computes.
    """
    return _page_locked if device.type == "cuda" else ordinary_room


def _page_locked(shape: Sequence[int]) -> NDArray[np.uint8]:
    """Ordinary where no more can be locked: the upload then does it, or fails as memory that ran out."""
    try:
        locked: NDArray[np.uint8] = torch.empty(tuple(shape), dtype=torch.uint8, pin_memory=True).numpy()
    except RuntimeError:
        return ordinary_room(shape)
    return locked


def keep_float32_exact(device: torch.device, dtype: torch.dtype) -> None:
    """Let float32 on a GPU be float32: by default torch rounds convolutions to TF32 (10 bits)."""
    if device.type == "cuda" and dtype == torch.float32:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


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


def free_memory(device: torch.device) -> int:
    """Bytes that nobody has taken of the GPU's memory, or of the machine's for the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil

    return int(psutil.virtual_memory().available)


# The one place where the text of a message decides. torch has types for its own allocators alone; what
# cuBLAS, cuDNN and the driver cannot allocate comes as a plain RuntimeError, and its text is the only signal:
#   "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`" (pytorch issue 128601),
#   "cuDNN error: CUDNN_STATUS_ALLOC_FAILED", and since cuDNN 9
#   "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED" (or HOST);
#   cuSOLVER, cuSPARSE and cuFFT alike;
#   "CUDA error: out of memory" and, with expandable segments, "CUDA driver error: out of memory";
#   "DefaultCPUAllocator: can't allocate memory: you tried to allocate ..." ("not enough memory" on Windows).
# Names of statuses and the allocators' own sentences, as narrow as they can be: a RuntimeError that merely
# speaks of memory is not meant.
_OUT_OF_MEMORY = re.compile(
    r"\b(?:CUBLAS|CUDNN|CUSOLVER|CUSPARSE|CUFFT|HIPBLAS|MIOPEN)\w*_ALLOC(?:ATION)?_FAILED\b"
    r"|\b(?:CUDA|HIP)(?: driver)?(?: error:)? out of memory\b"
    r"|\bDefaultCPUAllocator: (?:can't allocate|not enough) memory\b"
)
_CUDA_ERROR_MEMORY_ALLOCATION = 2  # cudaErrorMemoryAllocation, `error_code` of torch.AcceleratorError


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` is the device's or the machine's memory running out: less may fit."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if not isinstance(error, RuntimeError):
        return False
    code = getattr(error, "error_code", None) if isinstance(error, torch.AcceleratorError) else None
    return code == _CUDA_ERROR_MEMORY_ALLOCATION or bool(_OUT_OF_MEMORY.search(str(error)))


def is_device_lost(error: BaseException) -> bool:
    """Whether the GPU's context is gone, so that every later call fails too.

    So it is after an asynchronous CUDA error ("CUDA error: device-side assert triggered"), which comes as a
    torch.AcceleratorError, or as a RuntimeError of cuBLAS or the driver that begins alike. Memory that ran
    out loses nothing.
    """
    if is_out_of_memory(error) or not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.AcceleratorError) or str(error).startswith("CUDA error")
