"""A model on the CPU and its decoders share the cores; once nothing is left to decode, the model has all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from sf_eval.harness.decoding import cores
from sf_eval.harness.decoding.cores import SharedCores
from sf_eval.video import Clip, ClipPool, SamplingRule

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def four_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(cores, "usable_cores", lambda: 4)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def _threads_at_each_clip(shared: SharedCores, folder: Path) -> list[int]:
    """One that is not there, and is given while the other is left; and one that hangs."""
    missing, hanging = Clip(folder / "missing.mp4"), Clip(folder / "hanging.mp4")
    os.mkfifo(hanging.path)
    rule = SamplingRule("uniform", 4)
    with ClipPool(rule, decoders=1, helpers=shared.helpers, timeout_s=1.0) as pool:
        shared.take_turns(pool)
        return [torch.get_num_threads() for _ in pool.in_order([missing, hanging])]


def test_torch_takes_all_cores_once_nothing_is_left_to_decode(tmp_path: Path) -> None:
    shared = SharedCores(CPU, None)
    assert (shared.decoders, shared.helpers) == (2, 2)
    assert torch.get_num_threads() == 2
    assert _threads_at_each_clip(shared, tmp_path) == [2, 4]
    torch.set_num_threads(2)
    shared.close()
    assert torch.get_num_threads() == 4


def test_a_number_of_decoders_that_is_asked_for_is_that_number(tmp_path: Path) -> None:
    shared = SharedCores(CPU, 1)
    assert (shared.decoders, shared.helpers) == (1, 0)
    assert _threads_at_each_clip(shared, tmp_path) == [3, 4]


def test_a_number_of_threads_that_is_asked_for_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    torch.set_num_threads(3)
    assert _threads_at_each_clip(SharedCores(CPU, None), tmp_path) == [3, 3]


def test_torch_takes_no_more_than_it_had(tmp_path: Path) -> None:
    torch.set_num_threads(1)  # by whoever called, or as MKL_NUM_THREADS says
    assert _threads_at_each_clip(SharedCores(CPU, None), tmp_path) == [1, 1]


def test_models_of_a_launcher_take_their_part_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    shared = SharedCores(CPU, None)
    assert (shared.decoders, shared.helpers) == (1, 1)
    assert _threads_at_each_clip(shared, tmp_path) == [1, 2]
