"""Latency and memory on this machine: slow-fast and its baseline in turn, in one run.

A round measures every stage of every subject once; the subjects' order alternates from round to round, so
that a machine that warms up or slows down touches both alike. What cannot be measured here is absent with its
reason, never zero.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sf_eval.core.cards import card_for
from sf_eval.core.errors import UsageError
from sf_eval.inference.device import keep_float32_exact, resolve_device, resolve_dtype
from sf_eval.inference.machine import peak_memory
from sf_eval.profiler.cost.closed_form import DecodeVariant
from sf_eval.profiler.cost.tokens import count_tokens
from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.clip import can_render, render, still_frames
from sf_eval.profiler.measured.pipeline import (
    Ask,
    Compiled,
    Pipeline,
    compiled_parts,
    load,
    make_model,
    same_size,
)
from sf_eval.profiler.measured.rounds import Series, ratio_records, run_record
from sf_eval.profiler.measured.stopwatch import timed, wall_timed
from sf_eval.profiler.profile import Request, Say, subjects_of
from sf_eval.profiler.rows import Question, Subject, exceeds


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        iterations, seconds: at least so many rounds, and at least so long, per batch size.
        warmup: rounds before them that do not count.
        video: the clip to decode; None makes one.
        backend: torch.compile's, where `compiled` is asked for.
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
    backend: str = "inductor"


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
        UsageError: a device, dtype or attention implementation that this machine does not have, nothing that
            can be measured, or `settings.compiled` where not all of it can be compiled.
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
    question, said = _question_measured(request.question)
    notes += said
    say("measuring what the device reaches at best")
    peak = hardware.measure_peak(device, dtype)
    models, against = subjects_of(request)
    say("loading")
    load_s, model = wall_timed(lambda: _model(request, settings, models[0], device, dtype), device)
    models, said = _measurable(models, model, question)
    notes += said
    against, said = _measurable(against, model, question)
    notes += said
    if not models:
        raise UsageError(f"there is nothing to measure: {' '.join(notes)}")
    with tempfile.TemporaryDirectory(prefix="sf-eval-") as folder, torch.no_grad():
        video = _video(settings, max(subject.frames for subject in (*models, *against)), Path(folder))
        bench = _Bench(Pipeline(model, device), settings, question, peak, video)
        bench.run(models, against, say)
    notes += bench.notes
    if device.type == "cuda":  # the load average afterwards is our own
        notes += [f"After: {sign}" for sign in hardware.foreign_load(device)]
    return Measurement(
        environment={
            **hardware.describe(device),
            "dtype": str(dtype).removeprefix("torch."),
            "attention": settings.attn,
            "compiled": settings.compiled,
            "compiled_layers": bench.compiled_layers,
            "weights": "random" if settings.random_weights else request.model,
            "video": _video_facts(settings, video),
            "warmup_rounds": settings.warmup,
        },
        peak=asdict(peak),
        load_s=load_s,
        compile_s=bench.compile_s,
        runs=tuple(bench.runs),
        ratios=tuple(bench.ratios),
        memory={"process_peak_bytes": peak_memory(device).process},
        notes=tuple(notes),
    )


def _question_measured(question: Question) -> tuple[Question, list[str]]:
    """What can be measured of it: nobody here projects the slow tokens again at every step."""
    if question.decode is not DecodeVariant.PUBLISHED:
        return question, []
    note = "Decoding is measured with the slow tokens' keys and values cached, not projected at every step."
    return replace(question, decode=DecodeVariant.CACHED), [note]


def _measurable(
    subjects: Sequence[Subject], model: Any, question: Question
) -> tuple[list[Subject], list[str]]:
    """Those that can be measured with the model's weights, and a sentence about each other one."""
    kept, notes = [], []
    limit = model.config.max_prompt_tokens
    for subject in subjects:
        prompt = question.text_tokens + count_tokens(subject.shape, subject.frames).fast_tokens
        if not same_size(subject, model.config.to_dict()):
            notes.append(f"{subject.name} is not measured: it has another size than the model.")
        elif exceeds(prompt, limit):
            notes.append(
                f"{subject.name} at {subject.frames} frames is not measured: its prompt of {prompt:,} tokens "
                f"exceeds the model's context of {limit:,}."
            )
        else:
            kept.append(subject)
    return kept, notes


@dataclass
class _Bench:
    """Everything that the rounds of one measurement share, and what they found."""

    pipeline: Pipeline
    settings: Settings
    question: Question
    peak: hardware.Peak
    video: Path | None
    compile_s: float | None = None
    compiled_layers: int = 0
    runs: list[dict[str, Any]] = field(default_factory=list)
    ratios: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, models: Sequence[Subject], against: Sequence[Subject], say: Say) -> None:
        """Every batch size in turn, compiled where the settings ask for it."""
        if not self.settings.compiled:
            self._batches(models, against, say, None)
            return
        with compiled_parts(self.pipeline.model, backend=self.settings.backend) as compiled:
            self._batches(models, against, say, compiled)
            self.compiled_layers = compiled.layers

    def _batches(
        self, models: Sequence[Subject], against: Sequence[Subject], say: Say, compiled: Compiled | None
    ) -> None:
        for batch_size in self.settings.batch_sizes:
            asks = [self._ask(subject, batch_size) for subject in (*models, *against)]
            say(f"warming up, batch {batch_size}")
            warm_s, _ = wall_timed(partial(self._warm_up, asks, compiled), self.pipeline.device)
            if compiled is not None and self.compile_s is None:
                self.compile_s = warm_s
            say(f"measuring, batch {batch_size}")
            before = compiled.graphs.total() if compiled else 0
            series = _rounds(self.pipeline, asks, self.settings.iterations, self.settings.seconds)
            if compiled and (late := compiled.graphs.total() - before):
                self.notes.append(
                    f"{late} graphs were compiled within the measured rounds: "
                    "raise --warmup to keep that out."
                )
            self.runs += [run_record(one, self.question, self.peak) for one in series]
            self.ratios += ratio_records(series[: len(models)], series[len(models) :])

    def _warm_up(self, asks: Sequence[Ask], compiled: Compiled | None) -> None:
        # Dynamo makes a size dynamic when it meets its second value: two rounds meet all of them.
        rounds = self.settings.warmup if compiled is None else max(self.settings.warmup, 2)
        _rounds(self.pipeline, asks, rounds, 0.0)
        if compiled is not None:
            compiled.check()

    def _ask(self, subject: Subject, batch_size: int) -> Ask:
        return Ask(
            subject=subject,
            frames=subject.frames,
            batch_size=batch_size,
            prompt_tokens=self.question.text_tokens,
            new_tokens=self.question.new_tokens,
            video=self.video,
            before_video=self.question.before_video,
            decode_slow_attention=self.question.decode_of(subject) is not DecodeVariant.WITHOUT,
        )


def _model(
    request: Request, settings: Settings, subject: Subject, device: torch.device, dtype: torch.dtype
) -> Any:
    if settings.random_weights:
        return make_model(subject.config, device, dtype, settings.attn)
    return load(card_for(request.model), device, dtype, settings.attn)


def _video(settings: Settings, frames: int, folder: Path) -> Path | None:
    """The clip to decode; a made one lasts half a second per frame shown, as the published rule has it."""
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
            "path": "made for this measurement: 640 x 360, H.264, 24 frames per second, 0.5 s per frame shown"
        }
    return {"path": str(video)}


def _rounds(pipeline: Pipeline, asks: Sequence[Ask], iterations: int, seconds: float) -> list[Series]:
    """At least `iterations` rounds and `seconds` seconds; every other round takes the asks backwards."""
    series = [Series(ask) for ask in asks]
    start = time.perf_counter()
    done = 0
    while done < iterations or time.perf_counter() - start < seconds:
        for one in series if done % 2 == 0 else reversed(series):
            with pipeline.set_to(one.ask):
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
