"""Ray, found, started on this machine or joined.

A Ray of ours ends with the run, listens on the loopback only and asks for a token that only this run's
processes know; its dashboard and usage statistics are off.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sf_eval.core.errors import SfEvalError, UsageError

logger = logging.getLogger(__name__)

_STARTS = 3  # tries
_LEAST_STORE = 100_000_000  # bytes; Ray takes no less than 78 MB
_STORE_SHARE = 0.3  # of the machine's memory, at most; Ray's own default
# Read by Ray when it is imported and by the processes that it starts. The third lets it take the loopback as
# this machine's address, as it does on systems that have no clusters.
_PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_enable_metrics_collection": "0",
    "RAY_prestart_worker_first_driver": "0",
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "token",
}
#: What a worker on another machine is told of this one's environment. No keys: Ray keeps what it is told.
_HANDED_ON = ("SF_EVAL_CACHE", "HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE")


class RayStartError(SfEvalError):
    """A Ray of ours did not come up."""


@dataclass(frozen=True)
class Cluster:
    """Where workers can run.

    Attributes:
        is_local: this machine alone, in a Ray of ours.
        gpus: of all its machines.
        machines: how many there are.
    """

    is_local: bool
    gpus: int
    machines: int


def require_ray() -> None:
    """Refuse early where Ray is missing.

    Raises:
        UsageError: it is not installed.
    """
    if find_spec("ray") is None:
        raise UsageError(
            "--workers needs Ray, which is not installed.", hint='Install it: pip install "sf-eval[ray]".'
        )


@contextmanager
def started(*, cpus: int, gpus: int, store_bytes: int = 0) -> Iterator[Cluster]:
    """A Ray of this machine alone, ended with the block; one that is running in this process is used.

    Args:
        cpus: how many processes of one core it may start at a time, whatever the machine has.
        store_bytes: of pictures that are on their way between processes.

    Raises:
        UsageError: Ray is not installed.
        RayStartError: it does not start.
    """
    require_ray()
    environment = {**_PRIVATE, "RAY_AUTH_TOKEN": _token()}
    before = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    folder = _short_folder()
    try:
        import ray

        if ray.is_initialized():
            yield Cluster(is_local=True, gpus=gpus, machines=1)
            return
        try:
            _start(
                num_cpus=cpus,
                num_gpus=gpus,
                object_store_memory=_store(store_bytes),
                _temp_dir=str(folder),
            )
            yield Cluster(is_local=True, gpus=gpus, machines=1)
        finally:
            ray.shutdown()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def _quiet() -> None:
    """Ray prints what its processes complain about over our progress, whatever it is asked: into the log."""
    from ray._private import worker

    def log(data: Mapping[str, Any], *_: Any, **__: Any) -> None:
        logger.info("Ray: %s", " ".join(data.get("lines", ())))

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = log


@cache
def _token() -> str:
    """One for all that this process starts: Ray reads it once."""
    return secrets.token_hex(32)


def _start(**options: Any) -> None:
    """Start Ray, which gives itself 30 s; a busy machine takes longer, and less the next time.

    Raises:
        RayStartError: it does not start.
    """
    import ray

    _quiet()
    for left in reversed(range(_STARTS)):
        try:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                _node_ip_address="127.0.0.1",
                **options,
            )
            return
        except Exception as error:  # Ray's own has no type
            ray.shutdown()
            if not left:
                first = str(error).strip().splitlines()[:1]
                raise RayStartError(
                    f"Ray does not start on this machine: {' '.join(first) or type(error).__name__}",
                    hint="If the machine is busy, try again.",
                ) from error


@contextmanager
def joined(address: str) -> Iterator[Cluster]:
    """A Ray cluster that runs already, left with the block.

    Raises:
        UsageError: Ray is not installed, or there is no cluster.
    """
    require_ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    _quiet()
    handed_on = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
    try:
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                logging_level="ERROR",
                runtime_env={"env_vars": handed_on} if handed_on else None,
            )
        except (
            RuntimeError,
            ray.exceptions.RayError,
        ) as error:  # a token or version is refused, say
            raise UsageError(
                f"--ray-address {address}: {' '.join(str(error).split()) or type(error).__name__}",
                hint="Give what that cluster asks for, or leave --ray-address out for this machine alone.",
            ) from error
        except (ConnectionError, ValueError) as error:
            raise UsageError(
                f"--ray-address {address}: no Ray cluster answers there ({type(error).__name__}).",
                hint="Start one (ray start --head), or leave --ray-address out for this machine alone.",
            ) from error
        resources = ray.cluster_resources()
        machines = [node for node in ray.nodes() if node["Alive"]]
        yield Cluster(is_local=False, gpus=int(resources.get("GPU", 0)), machines=len(machines))
    finally:
        with suppress(Exception):  # a cluster that is gone cannot be left
            ray.shutdown()


def _store(wanted: int) -> int:
    import psutil

    return max(_LEAST_STORE, min(wanted, int(_STORE_SHARE * psutil.virtual_memory().total)))


def _short_folder() -> Path:
    """For Ray's sockets and logs. A socket's path has 107 bytes at most, and Ray's own names take 70."""
    parent: Any = None if len(tempfile.gettempdir()) < 20 else "/tmp"  # noqa: S108 - a private folder below it
    return Path(tempfile.mkdtemp(prefix="sf-eval-", dir=parent))
