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

import torch

from sf_eval.core.cards import card_for
from sf_eval.core.errors import UsageError
from sf_eval.inference.compiled import Compiled, compiled
from sf_eval.inference.device import keep_float32_exact, resolve_device, resolve_dtype
from sf_eval.inference.families.slow_fast import parts_to_compile
from sf_eval.inference.machine import peak_memory
from sf_eval.profiler.cost.closed_form import DecodeVariant
from sf_eval.profiler.cost.tokens import count_tokens
from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.clip import can_render, render
from sf_eval.profiler.measured.pipeline import Ask, Pipeline, Stages, load, make_model, same_size
from sf_eval.profiler.measured.rounds import Series, ratio_records, run_record
from sf_eval.profiler.measured.stages import (
    DECODE,
    FIRST,
    PIPE,
    PREFILL,
    PREFIX,
    QUESTIONS,
    RESIZE,
    STEP,
    UPLOAD,
    VISION,
    WHOLE,
)
from sf_eval.profiler.measured.stopwatch import timed, wall_timed
from sf_eval.profiler.measured.work import WeightBytes, work_of
from sf_eval.profiler.profile import Request, Say, subjects_of
from sf_eval.profiler.rows import Question, Subject, exceeds

_ANY_LENGTH = 1 << 21


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
    if settings.random_weights:  # nothing was trained for a length
        model.config.max_position_embeddings, model.config.tokenizer_model_max_length = _ANY_LENGTH, None
    models, said = _measurable(models, model, question)
    notes += said
    against, said = _measurable(against, model, question)
    notes += said
    if not models:
        raise UsageError(f"there is nothing to measure: {' '.join(notes)}")
    with tempfile.TemporaryDirectory(prefix="sf-eval-") as folder, torch.no_grad():
        video = _video(settings, max(subject.frames for subject in (*models, *against)), Path(folder))
        with Pipeline(model, card_for(request.model), device) as pipeline:
            bench = _Bench(pipeline, settings, question, peak, video)
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
        parts = parts_to_compile(self.pipeline.model)
        with compiled(parts, backend=self.settings.backend) as done:
            self._batches(models, against, say, done)
            self.compiled_layers = done.layers

    def _batches(
        self, models: Sequence[Subject], against: Sequence[Subject], say: Say, compiled: Compiled | None
    ) -> None:
        for batch_size in self.settings.batch_sizes:
            asks = [
                [
                    self._ask(subject, batch_size, shared)
                    for shared in _sharing(batch_size)
                    for subject in some
                ]
                for some in (models, against)
            ]
            say(f"warming up, batch {batch_size}")
            warm_s, _ = wall_timed(
                partial(self._warm_up, [*asks[0], *asks[1]], compiled), self.pipeline.device
            )
            if compiled is not None and self.compile_s is None:
                self.compile_s = warm_s
            say(f"measuring, batch {batch_size}")
            before = compiled.graphs.total() if compiled else 0
            series = _rounds(
                self.pipeline, [*asks[0], *asks[1]], self.settings.iterations, self.settings.seconds
            )
            if compiled and (late := compiled.graphs.total() - before):
                self.notes.append(
                    f"{late} graphs were compiled within the measured rounds: "
                    "raise --warmup to keep that out."
                )
            self.runs += [self._record(one) for one in series]
            self.ratios += ratio_records(series[: len(asks[0])], series[len(asks[0]) :])

    def _record(self, series: Series) -> dict[str, Any]:
        model = self.pipeline.model
        weights, width = WeightBytes.of(model), model.lm_head.weight.element_size()
        return run_record(series, work_of(series.ask, self.question, weights, value_bytes=width), self.peak)

    def _warm_up(self, asks: Sequence[Ask], compiled: Compiled | None) -> None:
        # Dynamo makes a size dynamic when it meets its second value: two rounds meet all of them.
        rounds = self.settings.warmup if compiled is None else max(self.settings.warmup, 2)
        _rounds(self.pipeline, asks, rounds, 0.0)
        if compiled is not None:
            compiled.check()

    def _ask(self, subject: Subject, batch_size: int, shared: bool) -> Ask:
        prompt = self.question.text_tokens + count_tokens(subject.shape, subject.frames).fast_tokens
        return Ask(
            subject=subject,
            frames=subject.frames,
            batch_size=batch_size,
            prompt_tokens=self.question.text_tokens,
            new_tokens=self.question.new_tokens,
            video=self.video,
            shared=shared,
            before_video=self.question.before_video,
            beyond_context=exceeds(prompt, subject.shape.context_tokens),
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
            with pipeline.set_to(one.ask) as stages:
                _apart(stages, one)
                _whole(stages, one)
        done += 1
    return series


def _sharing(batch_size: int) -> tuple[bool, ...]:
    """A video for each question; and, where there are several questions, one for all of them."""
    return (False,) if batch_size == 1 else (False, True)


def _apart(stages: Stages, series: Series) -> None:
    """Every stage once, the device idle before and after."""
    ask, device = series.ask, stages.device
    seconds, frames = wall_timed(stages.frames, device)
    decoded, resized = sum(one.decode_s for one in frames), sum(one.resize_s for one in frames)
    if ask.video is not None:
        series.add(DECODE, decoded)
        series.add(PIPE, seconds - decoded - resized)
    series.add(RESIZE, resized)
    seconds, pixels = timed(partial(stages.upload, frames), device)
    series.add(UPLOAD, seconds)
    seconds, encoded = timed(partial(stages.encode, frames, pixels), device)
    series.add(VISION, seconds)
    prefix = None
    if ask.shared:
        seconds, prefix = timed(partial(stages.prefix, encoded), device)
        series.add(PREFIX, seconds)
    answer = stages.answer(encoded, prefix)
    series.add(QUESTIONS if ask.shared else PREFILL, answer.prefill_s)
    if steps := ask.new_tokens - 1:
        series.add(STEP, answer.generate_s / steps)


def _whole(stages: Stages, series: Series) -> None:
    """The whole way without instruments."""
    ask, device = series.ask, stages.device
    if ask.video is not None:
        series.add(FIRST, wall_timed(partial(stages.whole, 1), device)[0])
    hardware.reset_gpu_memory(device)
    series.add(WHOLE, wall_timed(partial(stages.whole, ask.new_tokens), device)[0])
    peak = peak_memory(device)
    series.at_most("allocated_bytes", peak.device_allocated)
    series.at_most("reserved_bytes", peak.device_reserved)
