"""A model, or several, made ready for a plan: in this process, or as workers (`harness/distributed/`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext

import psutil
import torch

from sf_eval.harness.batching import foreseen, value_bytes
from sf_eval.harness.decoding.clip_pool import clip_pool
from sf_eval.harness.decoding.cores import SharedCores
from sf_eval.harness.facts import report_of
from sf_eval.harness.memory import measure
from sf_eval.harness.opened import Opened, OpeningWatcher, Took
from sf_eval.harness.plan import RunPlan, questions_per_video
from sf_eval.inference.device import resolve_device, resolve_dtype
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import open_model
from sf_eval.inference.family import VideoModel
from sf_eval.video import ClipPool


@contextmanager
def opened(plan: RunPlan, watcher: OpeningWatcher, *, ahead: ClipPool | None = None) -> Iterator[Opened]:
    """Whatever the plan's settings ask for, until the block ends.

    Args:
        ahead: decodes since before the plan was made; closed here, used if it decodes as the plan wants.

    Raises:
        CheckpointError: the weights cannot be had or do not fit.
        UsageError: more workers than there are GPUs, or no Ray.
        WorkersDifferError: workers that would not answer alike.
    """
    if not plan.settings.conditions.asks_model:
        from sf_eval.harness.controls.choice import opened_choice

        yield opened_choice(plan)
        return
    if plan.settings.workers is None:
        with _opened_here(plan, watcher, ahead) as here:
            yield here
        return
    from sf_eval.harness.distributed.opening import opened_workers

    with opened_workers(plan, watcher) as there:
        yield there


@contextmanager
def _opened_here(plan: RunPlan, watcher: OpeningWatcher, ahead: ClipPool | None) -> Iterator[Opened]:
    settings = plan.settings
    model = _load(plan, watcher)
    report = report_of(
        plan.card,
        model,
        attn=settings.attn,
        video_backend=settings.video_backend,
        batch_size=settings.batch_size,
        share=settings.share,
    )
    with (
        closing(SharedCores(model.device, settings.decoders)) as cores,
        clip_pool(
            settings, plan.rule, model.resize, decoders=cores.decoders, helpers=cores.helpers, ahead=ahead
        ) as pool,
    ):
        cores.take_turns(pool)
        engine = Engine(model, pool, batch_size=report.batch_size, share=settings.share)

        def took() -> Took:
            memory = measure(model.device, forecast=_forecast(plan, model, report.batch_size))
            return Took(
                memory,
                pool.waited_s,
                tuple(engine.degraded),
                first_video_s=_since_start(pool) if pool is ahead else None,
            )

        with _compiled(plan, model, watcher):
            yield Opened(report, engine, lambda: pool.waiting_s, took)


def _since_start(pool: ClipPool) -> float | None:
    """Seconds from the start of this process to the first clip that was decoded."""
    if pool.first_decoded_at is None:
        return None
    return pool.first_decoded_at - psutil.Process().create_time()


def _compiled(plan: RunPlan, model: VideoModel, watcher: OpeningWatcher) -> AbstractContextManager[object]:
    if not plan.settings.compiled:
        return nullcontext()
    watcher.stage("Compiling the model")
    from sf_eval.inference.compiled import compiled_model  # takes a second to import

    return compiled_model(model, share=plan.settings.share)


def _forecast(plan: RunPlan, model: VideoModel, batch_size: int) -> int | None:
    """Bytes that the run was to take at its peak; None where nobody can tell."""
    known = model.facts
    if known.size.config is None:
        return None
    foresight = foreseen(
        known.size,
        plan.card,
        batch_size,
        value_bytes(getattr(torch, known.dtype)),
        model.device.type,
        share=plan.settings.share,
        questions_per_video=questions_per_video(plan),
    )
    return None if foresight is None else foresight.peak


def _load(plan: RunPlan, watcher: OpeningWatcher) -> VideoModel:
    settings = plan.settings
    torch.manual_seed(settings.seed)
    device = resolve_device(settings.device)
    watcher.stage(f"Loading {plan.card.title} on {device}, {plan.card.num_frames} frames per video")
    return open_model(
        plan.card, device=device, dtype=resolve_dtype(settings.dtype, device), attn=settings.attn
    )
