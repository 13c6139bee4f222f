"""Shared by all tests: one thread for tiny models, and one cache for the rendered mini editions."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["HF_HUB_OFFLINE"] = "1"  # no test reaches for a hub that is not on loopback


sys.path.insert(
    0, str(Path(__file__).parent / "inference" / "families")
)  # tiny_checkpoints, loopback_endpoint


# The same examples everywhere: what passes here passes there. HYPOTHESIS_PROFILE=default looks for new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


# Whole runs in processes of their own, a minute a file and more: begun first, so that no worker is left with
# one of them at the end.
_LONG = ("cli/", "distributed/", "data_fetch/", "mini/", "docs/", "benchmarks_gpu/", "profiler/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    tests = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        name = item.path.relative_to(tests).as_posix()
        return next((at for at, folder in enumerate(_LONG) if name.startswith(folder)), len(_LONG))

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """The collector need not look through all that was imported at each turn: it took half of the time."""
    gc.freeze()


# In a whole run the first tests of both workers want these: each worker renders its half, and neither waits.
_HALVES = {"gw0": ("videomme", "mlvu", "mlvu_test"), "gw1": ("mvbench", "egoschema")}
_WHOLE_RUN = 1000


def pytest_unconfigure() -> None:
    """Some libraries complain, at the end of the process, of what nobody collected."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def shared_cache(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Render each mini edition once a session, for all workers, and leave nothing in the user's cache.

    SF_EVAL_TEST_CACHE names a folder that keeps them, for whoever runs a few files again and again.
    """
    patch = pytest.MonkeyPatch()
    own = tmp_path_factory.getbasetemp()
    session = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # a worker's is in the session's
    patch.setenv("SF_EVAL_CACHE", os.environ.get("SF_EVAL_TEST_CACHE") or str(session / "cache"))
    if len(request.session.items) > _WHOLE_RUN:
        from sf_eval import editions  # reads the environment

        for edition in _HALVES.get(os.environ.get("PYTEST_XDIST_WORKER", ""), ()):
            editions.mini_root([edition])
    yield
    patch.undo()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny checkpoint of a family, made once. Tests do not change it."""
    from tiny_checkpoints import make_checkpoint

    made: dict[str, Path] = {}

    def make(family: str) -> Path:
        if family not in made:
            made[family] = make_checkpoint(family, tmp_path_factory.mktemp(family) / family)
        return made[family]

    return make
