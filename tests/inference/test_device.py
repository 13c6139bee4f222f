"""Which errors mean that memory ran out, and which that the device is lost: the drivers' own words."""

from __future__ import annotations

import errno
import os

import pytest
import torch

from sf_eval.inference.device import is_device_lost, is_out_of_memory

# As torch raises them; see the issues named beside.
RAN_OUT = [
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",  # pytorch 128601
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasLtCreate(&handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
    "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED\nException raised from run_conv_plan",
    "cusolver error: CUSOLVER_STATUS_ALLOC_FAILED, when calling `cusolverDnCreate(handle)`",
    "cuFFT error: CUFFT_ALLOC_FAILED",
    "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported at some other API call",
    "CUDA driver error: out of memory",
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.1 GiB",
    "HIP out of memory. Tried to allocate 2.00 GiB",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to "
    "allocate 1152921504606846976 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:117] data. DefaultCPUAllocator: not enough memory: you tried to allocate",
]
LOST = [
    "CUDA error: device-side assert triggered\nCUDA kernel errors might be asynchronously reported",
    "CUDA error: an illegal memory access was encountered",
    "CUDA error: unspecified launch failure",
    "CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb, m, n, k)`",
]
NEITHER = [
    "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)",
    "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED",
    "cuDNN error: CUDNN_STATUS_BAD_PARAM",
    "the question was: what does 'out of memory' mean?",
    "expected all tensors on the same device; can't allocate memory for that",
]


@pytest.mark.parametrize("text", RAN_OUT)
def test_a_driver_that_ran_out_of_memory(text: str) -> None:
    error = RuntimeError(text)
    assert is_out_of_memory(error)
    assert not is_device_lost(error)


@pytest.mark.parametrize("text", LOST)
def test_a_device_that_is_lost(text: str) -> None:
    error = RuntimeError(text)
    assert is_device_lost(error)
    assert not is_out_of_memory(error)


@pytest.mark.parametrize("text", NEITHER)
def test_an_error_of_one_sample(text: str) -> None:
    assert not is_out_of_memory(RuntimeError(text))
    assert not is_device_lost(RuntimeError(text))


def test_errors_that_have_a_type() -> None:
    no_memory = OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    assert all(
        map(is_out_of_memory, (MemoryError(), torch.OutOfMemoryError("CUDA out of memory."), no_memory))
    )
    assert not is_out_of_memory(OSError(errno.ENOENT, "out of memory"))
    assert not is_out_of_memory(ValueError("CUDA out of memory."))
    assert is_device_lost(torch.AcceleratorError("CUDA error: unspecified launch failure"))
    assert not is_device_lost(torch.AcceleratorError("CUDA error: out of memory"))


def test_the_allocators_own_error() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
