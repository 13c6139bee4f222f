"""Latency and memory on this machine: slow-fast and its baseline in turn, in one run.

A round measures every stage of every subject once; the subjects' order alternates from round to round, so
that a machine that warms up or slows down touches both alike. What cannot be measured here is absent with its
reason, never zero.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sf_eval.core.cards import card_for
from sf_eval.inference.device import keep_float32_exact, resolve_device, resolve_dtype
from sf_eval.inference.machine import peak_memory
from sf_eval.profiler import hardware
from sf_eval.profiler.clip import can_render, render, still_frames
from sf_eval.profiler.pipeline import Ask, Pipeline, compile_model, load, make_model, same_size
from sf_eval.profiler.profile import Request, Say, subjects_of
from sf_eval.profiler.rounds import Series, ratio_records, run_record
from sf_eval.profiler.rows import Subject
from sf_eval.profiler.stopwatch import timed, wall_timed


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        iterations, seconds: at least so many rounds, and at least so long, per batch size.
        warmup: rounds before them that do not count.
        video: the clip to decode; None makes one.
    """

    random_weights: bool = False
    device: str = "auto"
    dtype: str = "auto"
    attn: str = "sdpa"
    compiled: bool = False
    batch_sizes: tuple[int, ...] = (1,)
    iterations: int = 10
    seconds: float = 3.0
    warmup: int = 2
    video: Path | None = None


@dataclass(frozen=True)
class Measurement:
    """Everything measured; plain data but for the samples."""

    environment: dict[str, Any]
    peak: dict[str, float | None]
    load_s: float
    compile_s: float | None
    runs: tuple[dict[str, Any], ...]
    ratios: tuple[dict[str, Any], ...]
    memory: dict[str, int | None]
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(request: Request, settings: Settings, *, say: Say = lambda _: None) -> Measurement:
    """Measure the model of `request` and whatever it is compared with that has the same size.

    Raises:
        UsageError: a device, dtype or attention implementation that this machine does not have.
        CheckpointError: no weights here and no `random_weights`.
        VideoError: `settings.video` cannot be decoded.
    """
    device = resolve_device(settings.device)
    dtype = resolve_dtype(settings.dtype, device) or torch.bfloat16
    if device.type == "cuda":
        torch.cuda.set_device(device)  # events are recorded on the current device
    keep_float32_exact(device, dtype)
    notes = [f"Before: {sign}" for sign in hardware.foreign_load(device)]
    if not settings.warmup:
        notes.append("No warm-up: the first round holds what is paid only once.")
    say("measuring what the device reaches at best")
    peak = hardware.measure_peak(device, dtype)
    models, against = subjects_of(request)
    subjects = [*models, *against]
    say("loading")
    load_s, model = wall_timed(lambda: _model(request, settings, subjects[0], device, dtype), device)
    pipeline = Pipeline(model, device)
    measured = [subject for subject in subjects if same_size(subject, model.config.to_dict())]
    notes += [
        f"{subject.name} is not measured: it has another size than {subjects[0].name}."
        for subject in subjects
        if subject not in measured
    ]
    compile_s: float | None = None
    if settings.compiled:
        compile_model(model)
    runs: list[dict[str, Any]] = []
    ratios: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="sf-eval-") as folder, torch.no_grad():
        video = _video(settings, max(subject.frames for subject in measured), Path(folder))
        for batch_size in settings.batch_sizes:
            asks = [_ask(subject, batch_size, request, video) for subject in measured]
            say(f"warming up, batch {batch_size}")
            warm_up = partial(_rounds, pipeline, asks, max(settings.warmup, int(settings.compiled)), 0.0)
            warm_s, _ = wall_timed(warm_up, device)
            if settings.compiled and compile_s is None:
                compile_s = warm_s
            say(f"measuring, batch {batch_size}")
            series = _rounds(pipeline, asks, settings.iterations, settings.seconds)
            runs += [run_record(one, request.question, peak) for one in series]
            ratios += ratio_records(series[: len(models)], series[len(models) :])
    if device.type == "cuda":  # the load average afterwards is our own
        notes += [f"After: {sign}" for sign in hardware.foreign_load(device)]
    return Measurement(
        environment={
            **hardware.describe(device),
            "dtype": str(dtype).removeprefix("torch."),
            "attention": settings.attn,
            "compiled": settings.compiled,
            "weights": "random" if settings.random_weights else request.model,
            "video": _video_facts(settings, video),
            "warmup_rounds": settings.warmup,
        },
        peak=asdict(peak),
        load_s=load_s,
        compile_s=compile_s,
        runs=tuple(runs),
        ratios=tuple(ratios),
        memory={"process_peak_bytes": peak_memory(device).process},
        notes=tuple(notes),
    )


def _model(
    request: Request, settings: Settings, subject: Subject, device: torch.device, dtype: torch.dtype
) -> Any:
    if settings.random_weights:
        return make_model(subject.config, device, dtype, settings.attn)
    return load(card_for(request.model), device, dtype, settings.attn)


def _video(settings: Settings, frames: int, folder: Path) -> Path | None:
    """The clip to decode; a made one lasts half a second a frame, for the published 2 frames a second."""
    if settings.video is not None:
        return settings.video
    if not can_render():
        return None
    path = folder / "clip.mp4"
    render(path, 12 * frames)
    return path


def _video_facts(settings: Settings, video: Path | None) -> dict[str, Any] | None:
    if video is None:
        return None
    if settings.video is None:
        return {
            "path": "made for this measurement: 640 x 360, H.264, 24 frames a second, 0.5 s a frame shown"
        }
    return {"path": str(video)}


def _ask(subject: Subject, batch_size: int, request: Request, video: Path | None) -> Ask:
    question = request.question
    return Ask(subject, subject.frames, batch_size, question.text_tokens, question.new_tokens, video)


def _rounds(pipeline: Pipeline, asks: Sequence[Ask], iterations: int, seconds: float) -> list[Series]:
    """At least `iterations` rounds and `seconds` seconds; every other round takes the asks backwards."""
    series = [Series(ask) for ask in asks]
    start = time.perf_counter()
    done = 0
    while done < iterations or time.perf_counter() - start < seconds:
        for one in series if done % 2 == 0 else reversed(series):
            with pipeline.set_to(one.ask.subject):
                _stages(pipeline, one)
        done += 1
    return series


def _stages(pipeline: Pipeline, series: Series) -> None:
    """Every stage once: apart with instruments, then the whole way without."""
    frames = None if series.ask.video else [still_frames(series.ask.frames)] * series.ask.batch_size
    _apart(pipeline, series, frames)
    _whole(pipeline, series, frames)


def _apart(pipeline: Pipeline, series: Series, frames: list[np.ndarray] | None) -> None:
    ask, device = series.ask, pipeline.device
    if frames is None:
        seconds, shown = wall_timed(partial(pipeline.decode, ask), device)
        series.add("video decode", seconds)
    else:
        shown = frames
    seconds, squares = wall_timed(partial(pipeline.resize, shown), device)
    series.add("resize", seconds)
    seconds, pixels = timed(partial(pipeline.upload, squares), device)
    series.add("upload", seconds)
    seconds, features = timed(partial(pipeline.vision, pixels), device)
    series.add("vision", seconds)
    seconds, (first, cache) = timed(partial(pipeline.prefill, ask, features), device)
    series.add("prefill (TTFT from cached features)", seconds)
    if steps := ask.new_tokens - 1:
        seconds, _ = timed(partial(pipeline.decode_tokens, first, cache, steps), device)
        series.add("new token (TPOT)", seconds / steps)


def _whole(pipeline: Pipeline, series: Series, frames: list[np.ndarray] | None) -> None:
    ask, device = series.ask, pipeline.device
    if frames is None:
        series.add("TTFT from file", wall_timed(partial(pipeline.first_token, ask, None), device)[0])
    hardware.reset_gpu_memory(device)
    series.add("end to end", wall_timed(partial(pipeline.answer, ask, frames), device)[0])
    peak = peak_memory(device)
    series.at_most("allocated_bytes", peak.device_allocated)
    series.at_most("reserved_bytes", peak.device_reserved)
