"""One Ray for all tests of a module: starting it takes seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from sf_eval.harness.distributed import cluster

# Ray reads this once, when it is first imported, which a test may do before a Ray is started.
os.environ.setdefault("RAY_AUTH_MODE", "token")


@pytest.fixture(scope="module")
def a_ray() -> Iterator[cluster.Cluster]:
    if find_spec("ray") is None:
        pytest.skip('Ray is not installed: pip install "sf-eval[ray]"')
    with cluster.started(cpus=8, gpus=0, store_bytes=200_000_000) as here:
        yield here
