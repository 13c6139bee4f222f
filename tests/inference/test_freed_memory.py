"""A process that runs a model on the CPU keeps what its tensors gave back, instead of asking for it anew."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_FAULTS = """
import resource, sys
import numpy as np
from sf_eval.inference.freed_memory import keep_freed_memory
if "keep" in sys.argv:
    keep_freed_memory()
for number in range(12):
    if number == 2:  # the first ones fetch the memory in any case
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    held = [np.ones(2_000_000, np.uint8) for _ in range(20)]
    del held
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(*arguments: str, **environment: str) -> int:
    """Pages that the kernel had to give while 10 times 40 MB were taken and freed."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    run = subprocess.run(
        [sys.executable, "-c", _FAULTS, *arguments],
        env={**mine, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(run.stdout)


@pytest.mark.skipif(
    sys.platform != "linux" or not os.confstr_names.get("CS_GNU_LIBC_VERSION"), reason="glibc's malloc alone"
)
def test_freed_memory_is_used_again() -> None:
    kept = faults("keep")
    assert kept < 1_000
    assert faults() > 20 * max(kept, 1000)
    # Who has set malloc up is left alone.
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072") > 20_000
