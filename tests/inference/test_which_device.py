"""Which device a process takes, and what float32 means there; the machine's GPUs are made up."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from sf_eval.core.errors import UsageError
from sf_eval.inference.device import keep_float32_exact, pixel_room, resolve_device
from sf_eval.video import ordinary_room


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> int:
    """A machine with so many GPUs, and no launcher."""
    count = int(request.param)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    return count


@pytest.mark.parametrize("gpus", [0], indirect=True)
@pytest.mark.parametrize("rank", [None, "0", "1"])
def test_without_a_gpu_auto_is_the_cpu_under_any_rank(
    gpus: int, rank: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(UsageError, match="no such device"):
        resolve_device("cuda")


@pytest.mark.parametrize(
    ("gpus", "rank", "name", "device"),
    [
        (4, None, "auto", "cuda:0"),
        (4, None, "cuda", "cuda:0"),
        (4, "", "auto", "cuda:0"),
        (4, "0", "auto", "cuda:0"),
        (4, "3", "auto", "cuda:3"),
        (4, "3", "cuda", "cuda:3"),
        (4, "3", "cuda:1", "cuda:1"),  # said is said
        (4, "3", "cpu", "cpu"),
        (1, "3", "auto", "cuda:0"),  # the launcher lets each process see its own alone
        (1, "3", "cuda", "cuda:0"),
    ],
    indirect=["gpus"],
)
def test_under_a_launcher_each_process_takes_its_own_gpu(
    gpus: int, rank: str | None, name: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if rank is not None:
        monkeypatch.setenv("LOCAL_RANK", rank)
    assert resolve_device(name) == torch.device(device)


@pytest.mark.parametrize("gpus", [2], indirect=True)
@pytest.mark.parametrize("name", ["auto", "cuda"])
@pytest.mark.parametrize(
    ("rank", "said"),
    [("2", "no GPU of its own"), ("-1", "LOCAL_RANK"), ("first", "LOCAL_RANK"), ("²", "LOCAL_RANK")],
)
def test_a_process_without_a_gpu_of_its_own_is_told(
    gpus: int, name: str, rank: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", rank)
    with pytest.raises(UsageError, match=said):
        resolve_device(name)


@pytest.mark.parametrize("gpus", [2], indirect=True)
def test_a_gpu_that_is_not_there_is_refused(gpus: int) -> None:
    with pytest.raises(UsageError, match="2 GPU"):
        resolve_device("cuda:2")


@pytest.fixture
def tf32_allowed() -> Iterator[None]:
    """torch's own default for convolutions; put back as it was."""
    cudnn, matmul = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = cudnn, matmul


@pytest.mark.parametrize(
    ("device", "dtype", "rounded"),
    [
        ("cuda:0", torch.float32, False),
        ("cuda:1", torch.float32, False),
        ("cuda:0", torch.bfloat16, True),  # nothing in it is float32: nothing is changed
        ("cpu", torch.float32, True),
    ],
)
def test_float32_on_a_gpu_is_not_rounded_to_tf32(
    tf32_allowed: None, device: str, dtype: torch.dtype, rounded: bool
) -> None:
    keep_float32_exact(torch.device(device), dtype)
    assert torch.backends.cudnn.allow_tf32 is rounded
    assert torch.backends.cuda.matmul.allow_tf32 is rounded


def test_without_a_gpu_nothing_can_be_page_locked_and_ordinary_memory_does() -> None:
    """As on a machine that has locked all that it may."""
    if torch.cuda.is_available():
        pytest.skip("memory can be locked here")
    assert pixel_room(torch.device("cpu")) is ordinary_room
    room = pixel_room(torch.device("cuda", 0))((2, 3, 4, 3))
    assert (room.shape, room.dtype, room.flags.c_contiguous) == ((2, 3, 4, 3), np.uint8, True)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpus_pictures_are_read_into_page_locked_memory() -> None:
    assert torch.from_numpy(pixel_room(torch.device("cuda", 0))((2, 3, 4, 3))).is_pinned()
