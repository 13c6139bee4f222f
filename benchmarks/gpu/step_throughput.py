"""The 7B shape with random weights: a straightforward loop against the engine, three questions a video.

Once from resized frames in memory, and once from real clips that the machine's cores decode. Weights are
random, so both sides write as many tokens as they may. Video-MME is extrapolated from a dozen questions.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.gpu.book import Book, StepError
from benchmarks.gpu.report import Row
from benchmarks.gpu.workload import book_forecast, build, forget_peak, give_back_memory, peak_bytes
from benchmarks.throughput import Clock, answer_about, ask_one
from sf_eval.core.cards import card_for
from sf_eval.harness.batching import automatic_batch_size
from sf_eval.harness.decoding.cores import SharedCores
from sf_eval.inference import Answer, Question
from sf_eval.inference.chunks import frames_at_once
from sf_eval.inference.engine import Engine
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.grouping import ClipSource
from sf_eval.inference.question import QuestionKey
from sf_eval.model.loading import LoadedModel, count_parameters
from sf_eval.profiler.cost.memory import Serving, forecast
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.measured.clip import FPS, can_render, render
from sf_eval.profiler.measured.prompts import CountedPrompts
from sf_eval.video import Clip, ClipPool, Frames, SamplingRule, VideoError, VideoInfo

_PER_VIDEO, _TEXT_TOKENS, _BEFORE_VIDEO = 3, 100, 14
_VIDEO_MME = 2700
_TIMES, _PER_S = 5.0, 3.0  # what is to be reached


@dataclass(frozen=True)
class _Size:
    """How much is asked; a rehearsal asks little.

    Attributes:
        loop_questions, videos: of the loop; of the engine, with `_PER_VIDEO` questions each.
        seconds: of every clip.
    """

    frames: int
    videos: int
    loop_questions: int
    new_tokens: int
    seconds: int


_FULL, _DRY = _Size(64, 4, 3, 16, 60), _Size(4, 2, 2, 3, 4)


class _InMemory:
    """In the place of a `ClipPool`: the same resized frames for every clip."""

    def __init__(self, size: _Size, side: int) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (size.frames, side, side, 3), dtype=np.uint8)
        places = tuple(range(size.frames))
        info = VideoInfo(Path("memory"), size.frames, 1.0, float(size.frames), side, side, "random")
        self.frames = Frames(pixels, places, tuple(map(float, places)), info, decode_s=0.0)

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]:
        for clip in clips:
            yield clip, self.frames


def run(book: Book) -> None:
    dry, device = book.setup.dry, torch.device(book.setup.device)
    size, loaded = _DRY if dry else _FULL, _loaded(dry, device)
    model = SlowFastVideoModel(loaded)
    batch_size = min(automatic_batch_size(model, loaded.card), size.videos * _PER_VIDEO)
    book.put("asked", {"batch_size": batch_size, "questions_per_video": _PER_VIDEO, **vars(size)})
    memory = _InMemory(size, loaded.processor.image_size)
    clips = [Clip(Path(f"video {number}")) for number in range(size.videos)]
    clock = Clock(device)
    _engine(model, memory, clips[:1], size, batch_size)  # kernels are loaded, handles made
    answer_about(loaded, memory.frames.pixels, _questions(clips[:1], size)[0], clock)
    give_back_memory(device)
    forget_peak(device)
    per_s = _engine(model, memory, clips, size, batch_size)
    serving = Serving(
        frames=size.frames,
        batch_size=batch_size,
        chunk_frames=frames_at_once(loaded.processor.image_size, loaded.model.device.type),
        text_tokens=_TEXT_TOKENS,
        new_tokens=size.new_tokens,
        questions_per_video=_PER_VIDEO,
        value_bytes=loaded.model.lm_head.weight.element_size(),
    )
    shape = ModelShape.from_config(loaded.model.config.to_dict())
    foreseen = forecast(shape, count_parameters(loaded.model), serving)
    book_forecast(book, "throughput.forecast", foreseen, peak_bytes(device))
    start = time.perf_counter()
    asked = _questions(clips, size)[: size.loop_questions]
    for question in asked:
        answer_about(loaded, memory.frames.pixels, question, clock)
    _book(book, "memory", "frames in memory", per_s, len(asked) / (time.perf_counter() - start), size)
    if not can_render():
        raise StepError("PyAV is not installed: nothing was decoded")
    _from_clips(book, loaded, model, size, batch_size)


def _from_clips(
    book: Book, loaded: LoadedModel, model: SlowFastVideoModel, size: _Size, batch_size: int
) -> None:
    folder = book.setup.step_file.parent / "clips"
    folder.mkdir(exist_ok=True)
    clips = [Clip(folder / f"{number}.mp4") for number in range(size.videos)]
    render(clips[0].path, size.seconds * FPS)
    for clip in clips[1:]:
        shutil.copyfile(clips[0].path, clip.path)
    rule = SamplingRule("published", size.frames)
    with (
        closing(SharedCores(model.device, None)) as cores,
        ClipPool(rule, decoders=cores.decoders, helpers=cores.helpers, resize=model.resize) as pool,
    ):
        book.put("decoders", cores.decoders)
        cores.take_turns(pool)
        per_s = _engine(model, pool, clips, size, batch_size)
        book.put("waited_s", pool.waited_s)
    start = time.perf_counter()
    asked = _questions(clips, size)[: size.loop_questions]
    for question in asked:
        ask_one(loaded, rule, question)
    _book(
        book,
        "clips",
        f"clips of {size.seconds} s of 360p",
        per_s,
        len(asked) / (time.perf_counter() - start),
        size,
    )


def _loaded(dry: bool, device: torch.device) -> LoadedModel:
    work = build(dry, device)
    side = work.model.config.vision_config.image_size
    processor = CountedPrompts(
        tokens=_TEXT_TOKENS,
        before_video=_BEFORE_VIDEO,
        vocab_size=work.model.config.vocab_size,
        image_size=side,
    )
    card = replace(
        card_for("mini" if dry else "slowfast-7b-128f"), num_frames=(_DRY if dry else _FULL).frames
    )
    return LoadedModel(work.model, processor, card, "", "", count_parameters(work.model))


def _questions(clips: Iterable[Clip], size: _Size) -> list[Question]:
    return [
        Question(QuestionKey(clip.path.name, number), clip, str(number), size.new_tokens)
        for clip in clips
        for number in range(_PER_VIDEO)
    ]


def _engine(
    model: SlowFastVideoModel, source: ClipSource, clips: list[Clip], size: _Size, batch_size: int
) -> float:
    """Questions per second."""
    questions = _questions(clips, size)
    engine = Engine(model, source, batch_size=batch_size)
    start = time.perf_counter()
    results = list(engine.answer(questions))
    seconds = time.perf_counter() - start
    if engine.degraded or not all(isinstance(result, Answer) for result in results):
        raise RuntimeError(f"not all was answered as asked: {engine.degraded or results}")
    return len(questions) / seconds


def _book(book: Book, key: str, source: str, engine: float, loop: float, size: _Size) -> None:
    asked = size.videos * _PER_VIDEO
    minutes = _VIDEO_MME / engine / 60
    where = f"{size.frames} frames, {_PER_VIDEO} questions a video, {size.new_tokens} new tokens, {source}"
    book.put(key, {"engine_per_s": engine, "loop_per_s": loop, "video_mme_minutes": minutes})
    note = f"extrapolated from {asked} questions: Video-MME's {_VIDEO_MME:,} in {minutes:.1f} minutes"
    book.row(
        Row(f"throughput.{key}.engine", f"questions/s of the engine: {where}", engine, "1/s", asked,
            at_least=_PER_S, note=note)
    )  # fmt: skip
    what, note = f"questions/s of the straightforward loop: {where}", f"{size.loop_questions} questions"
    book.row(Row(f"throughput.{key}.loop", what, loop, "1/s", size.loop_questions, note=note))
    what = f"the engine's questions/s over the loop's: {source}"
    book.row(Row(f"throughput.{key}.times", what, engine / loop, "x", at_least=_TIMES))
