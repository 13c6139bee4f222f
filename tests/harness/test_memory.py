"""Peak memory belongs to the run that used it."""

from __future__ import annotations

import sys

import pytest
import torch

from sf_eval.harness.memory import measure, release

CPU = torch.device("cpu")
TAKEN = 400 * 2**20


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a process's peak anew")
def test_the_next_run_is_not_charged_for_what_an_earlier_one_used() -> None:
    release(CPU)
    before = measure(CPU).process_peak_bytes
    taken = bytearray(b"\x01") * TAKEN
    during = measure(CPU).process_peak_bytes
    del taken
    release(CPU)
    assert during > before + TAKEN // 2
    assert measure(CPU).process_peak_bytes < before + TAKEN // 2
