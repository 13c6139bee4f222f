"""`--workers N`: from a plan to workers that answer it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from sf_eval.core.errors import UsageError
from sf_eval.harness.distributed import cluster
from sf_eval.harness.distributed.crew import Crew
from sf_eval.harness.distributed.decode_task import DecodeSetup
from sf_eval.harness.distributed.durations import durations_of
from sf_eval.harness.distributed.tally import memory_of
from sf_eval.harness.distributed.work import WorkerSetup
from sf_eval.harness.opened import Opened, OpeningWatcher, Took
from sf_eval.harness.plan import RunPlan
from sf_eval.harness.settings import RunSettings

# Bytes of one picture on its way, as large as any tower takes here; room for what waits beside what is shown.
_PICTURE_BYTES, _SPARE_STORE = 576 * 576 * 3, 1.5


@contextmanager
def opened_workers(plan: RunPlan, watcher: OpeningWatcher) -> Iterator[Opened]:
    """Workers on this machine or a cluster, ready to be asked; ended with the block, whatever they do.

    Raises:
        UsageError: no Ray, no such cluster, or fewer GPUs than workers.
        WorkersDifferError: not all would answer alike.
        NoWorkerLeftError: they die while they start.
    """
    settings = plan.settings
    count = settings.workers or 1
    where = settings.ray_address or "this machine"
    watcher.stage(
        f"Starting {count} workers on {where}: {plan.card.title}, {plan.card.num_frames} frames per video"
    )
    with ray_for(settings, pictures=plan.rule.num_frames) as machines:
        gpus = require_gpus(settings, machines)
        crew = Crew(
            _setup(plan, machines),
            count=count,
            gpus=gpus,
            cpus=worker_cores(settings, machines),
            decode_tasks=settings.decode_workers,
            duration_of=durations_of(plan),
            watcher=watcher,
        )
        try:
            hello = crew.start()

            def took() -> Took:
                records = tuple(tally.record(number) for number, tally in enumerate(crew.tallies))
                memory = memory_of(load for tally in crew.tallies for load in tally.loads)
                waited = sum(record.waited_s for record in records)
                return Took(memory, waited, tuple(crew.degraded), records)

            yield Opened(hello.model, crew, lambda: crew.waiting_s, took, at_once=None)
        finally:
            crew.close()
            watcher.workers(())


@contextmanager
def ray_for(settings: RunSettings, *, pictures: int) -> Iterator[cluster.Cluster]:
    """The cluster that the settings name, or a Ray of this machine with room for them.

    Args:
        pictures: of a clip.
    """
    count = settings.workers or 1
    if settings.ray_address is not None:
        with cluster.joined(settings.ray_address) as there:
            yield there
        return
    gpus = 0 if settings.device == "cpu" else torch.cuda.device_count()
    cores = count * _local_cores(count) + settings.decode_workers
    clips = settings.decode_workers * 2 + 2 * count if settings.decode_workers else 0
    store = int(clips * pictures * _PICTURE_BYTES * _SPARE_STORE)
    with cluster.started(cpus=cores, gpus=gpus, store_bytes=store) as here:
        yield here


def require_gpus(settings: RunSettings, machines: cluster.Cluster) -> int:
    """GPUs of each worker: one, or none where workers run on the CPU.

    Raises:
        UsageError: fewer than there are workers.
    """
    count, have = settings.workers or 1, machines.gpus
    if settings.device == "cpu" or (settings.device == "auto" and machines.is_local and not have):
        return 0
    if have < count:
        where = "this machine has" if machines.is_local else f"the cluster at {settings.ray_address} has"
        raise UsageError(
            f"--workers {count}: {where} {have} GPU(s).",
            hint=f"Give --workers {have}, or --device cpu." if have else "Give --device cpu.",
        )
    return 1


def worker_cores(settings: RunSettings, machines: cluster.Cluster) -> int:
    """Cores of each worker, as Ray counts them; on a cluster one, so that Ray always finds room."""
    return _local_cores(settings.workers or 1) if machines.is_local else 1


def _local_cores(count: int) -> int:
    """A worker's, without its decoders': half of its part of this machine."""
    return max(1, (os.cpu_count() or 1) // count // 2)


def _setup(plan: RunPlan, machines: cluster.Cluster) -> WorkerSetup:
    settings = plan.settings
    count = settings.workers or 1
    return WorkerSetup(
        card=plan.card,
        device="cuda" if settings.is_remote and settings.device == "auto" else settings.device,
        dtype=settings.dtype,
        attn=settings.attn,
        seed=settings.seed,
        batch_size=settings.batch_size,
        share=settings.share,
        decode=DecodeSetup(
            rule=plan.rule,
            backend=settings.video_backend,
            timeout_s=settings.decode_timeout_s,
            seek=settings.seek,
            decoders=settings.decoders,
        ),
        models_here=-(-count // max(machines.machines, 1)),
    )
