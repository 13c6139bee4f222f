"""Shared by all tests: one thread for tiny models, and one cache for the rendered mini editions."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches for a hub that is not on loopback


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Render each mini edition once a session, and leave nothing in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SF_EVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
