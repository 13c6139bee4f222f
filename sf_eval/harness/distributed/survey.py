"""`sf-eval doctor --workers N`: what every worker would see, and which machine sees something else."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Benchmark
from sf_eval.core import provenance
from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import SfEvalError
from sf_eval.data.checks import BadFile, CheckResult, Status
from sf_eval.data.digest import annotations_digest
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import DataSource
from sf_eval.harness.distributed.opening import ray_for, require_gpus
from sf_eval.harness.distributed.work import differences
from sf_eval.harness.plan import pinned
from sf_eval.harness.questions import clip_of
from sf_eval.harness.settings import RunSettings
from sf_eval.inference import machine
from sf_eval.inference.device import free_memory, resolve_device
from sf_eval.inference.families import rule_of
from sf_eval.model.loading import weights_digest, weights_directory
from sf_eval.video import ClipLoader, SamplingRule

_ABSENT = "not looked at"
_LIMIT_S = 1800.0  # for all workers: room, files that are read for the first time


@dataclass(frozen=True)
class Wanted:
    """What each worker looks at.

    Attributes:
        card: whose weights; None for none.
        timeout_s: for the first video of each task.
    """

    tasks: tuple[str, ...]
    source: DataSource
    card: ModelCard | None
    device: str
    timeout_s: float


@dataclass(frozen=True)
class Sight:
    """What one worker saw; what must be the same everywhere, and what need not be.

    Attributes:
        same: versions, and digests of the weights, annotations and first pictures, or why there are none.
        trouble: what of them could not be had.
        free_bytes: memory of the device, or of the machine where that is its CPU; None without the device.
    """

    host: str
    device: str
    free_bytes: int | None
    same: dict[str, str]
    trouble: dict[str, str]


def survey(settings: RunSettings, wanted: Wanted) -> list[CheckResult]:
    """Ask as many workers as a run would have, on the machines where they would be.

    Raises:
        UsageError: no Ray, no such cluster, or fewer GPUs than workers.
    """
    with ray_for(settings, pictures=0) as machines:
        import ray

        gpus = require_gpus(settings, machines)
        asked = ray.remote(_look).options(
            num_cpus=1, num_gpus=gpus, max_retries=0, scheduling_strategy="SPREAD"
        )
        looking = [asked.remote(wanted) for _ in range(settings.workers or 1)]
        seen = _seen(ray, looking, time.monotonic() + _LIMIT_S)
    sights = {number: sight for number, sight in enumerate(seen) if isinstance(sight, Sight)}
    alike = [_whether_alike(sights)] if sights else []
    return [*alike, *(_one(number, sight) for number, sight in enumerate(seen))]


def _seen(ray: Any, looking: Sequence[Any], deadline: float) -> list[Sight | str]:
    """What each worker saw, or why it told nothing."""
    seen: list[Sight | str] = []
    for reference in looking:
        try:
            seen.append(ray.get(reference, timeout=max(0.0, deadline - time.monotonic())))
        except ray.exceptions.GetTimeoutError:
            seen.append(f"it has not answered within {_LIMIT_S:.0f} s")
        except ray.exceptions.RayTaskError as error:
            seen.append(f"{type(error.cause).__name__}: {error.cause}")
        except ray.exceptions.RayError as error:
            seen.append((str(error).strip() or type(error).__name__).splitlines()[0])
    return seen


def _whether_alike(sights: Mapping[int, Sight]) -> CheckResult:
    seen = {f"worker {number} on {sight.host}": sight.same for number, sight in sights.items()}
    bad = tuple(
        BadFile(who, f"{what} is {has if has is not None else 'missing'}, on most others {usual}")
        for who, what, has, usual in differences(seen)
    )
    hosts = len({sight.host for sight in sights.values()})
    what = ", ".join(name for name in next(iter(sights.values())).same if not name.startswith("version "))
    if not bad:
        detail = f"{len(sights)} workers on {hosts} machine(s) see the same: versions, {what}"
        return CheckResult("workers", "", "ok", detail)
    different = len({each.path for each in bad})
    return CheckResult(
        "workers", "", "failure", f"{different} of {len(sights)} workers see something else", bad
    )


def _one(number: int, sight: Sight | str) -> CheckResult:
    if isinstance(sight, str):
        return CheckResult("worker", "", "failure", f"worker {number}: {sight}")
    bad = tuple(BadFile(what, why) for what, why in sight.trouble.items())
    status: Status = "failure" if bad else "ok"
    free = "no such device" if sight.free_bytes is None else f"{sight.free_bytes / 1e9:.1f} GB free"
    return CheckResult("worker", sight.host, status, f"worker {number}: {sight.device}, {free}", bad)


def _look(wanted: Wanted) -> Sight:
    """The task: everything that is looked at, on one machine."""
    same = {f"version of {name}": version for name, version in provenance.versions().items()}
    trouble: dict[str, str] = {}
    name, free = wanted.device, None
    try:
        device = resolve_device(wanted.device)
        name, free = machine.device_name(device), free_memory(device)
    except (SfEvalError, RuntimeError) as error:  # torch's own for a GPU that is not there any more
        trouble["device"] = str(error)
    if wanted.card is not None:
        try:
            same["weights"] = weights_digest(weights_directory(wanted.card, without_weights=True))
        except SfEvalError as error:
            same["weights"] = trouble["weights"] = str(error)
    rule = SamplingRule("uniform", 3) if wanted.card is None else rule_of(wanted.card)
    for task in wanted.tasks:
        try:
            annotations, pictures = _data(catalog.get_benchmark(task), wanted, rule)
            same[f"annotations of {task}"], same[f"first video of {task}"] = annotations, pictures
        except SfEvalError as error:
            same[f"data of {task}"] = trouble[f"data of {task}"] = str(error)
    return Sight(platform.node(), name, free, same, trouble)


def _data(benchmark: Benchmark, wanted: Wanted, rule: SamplingRule) -> tuple[str, str]:
    """Digests of the annotations and of the pictures of the first video.

    Raises:
        SfEvalError: one of them cannot be had here.
    """
    opened = open_benchmark(benchmark, pinned(wanted.source, benchmark), fetch_media=False)
    if not opened.documents:
        return annotations_digest(opened), _ABSENT
    clip = clip_of(opened, opened.documents[0], "whole")
    with ClipLoader(rule, timeout_s=wanted.timeout_s) as loader:
        pixels = loader.load(clip).pixels
    return annotations_digest(opened), hashlib.sha256(pixels.tobytes()).hexdigest()
