"""Shared by all tests: one thread for tiny models, and one cache for the rendered mini editions."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches for a hub that is not on loopback


# The same examples everywhere: what passes here passes there. HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session", autouse=True)
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Render each mini edition once a session, and leave nothing in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SF_EVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
