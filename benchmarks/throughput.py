"""Questions per second: a straightforward loop over the questions against the engine.

    python benchmarks/throughput.py            # 20 videos with 1, 3, 6 and 10 questions, five rounds: minutes
    python benchmarks/throughput.py --quick    # three videos, 1 and 3 questions, two rounds

The loop does for every question what the published adapter does: decode in order from the first frame, resize
each picture with Pillow, the vision tower on all frames at once, prefill with the logits of every position,
greedy decoding; nothing is shared and nothing overlaps. Its code is this file's. Both sides show the same
frames of the mini edition's mp4 files to the same weights and take turns, and each ratio is of one round: a
busy machine slows both sides of it. On the CPU the loop has a process of its own, with Python's memory as it
comes: what the engine does for its own process (`sf_eval.inference.freed_memory`) is one of its gains, and
`--loop-process same` gives it to the loop too. The engine's decoders are started and warmed up with another
clip, before its clock runs; what they remember of a file ends with the round. The loop has as many torch
threads as it is fastest with: on cores that others use too, two may be many times slower than one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core import files, provenance
from sf_eval.core.cards import ModelCard, card_for
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.harness.batching import automatic_batch_size
from sf_eval.harness.decoding.cores import SharedCores
from sf_eval.harness.questions import clip_of
from sf_eval.inference import Answer, Question, QuestionKey, machine
from sf_eval.inference.device import DTYPES, keep_float32_exact, resolve_device
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import rule_of
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.waiting import synchronise
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.video import Clip, ClipPool, SamplingRule, published_indices

_WARM_UPS = 8  # a clip, beside one for each decoder and helper: while so many are left, helpers start
OUT = Path("results/benchmarks/throughput.json")
MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))
Stages = dict[str, float]


@dataclass(frozen=True)
class Workload:
    """What is asked.

    Attributes:
        warm_up: a clip that no question is about.
    """

    questions: tuple[Question, ...]
    warm_up: Clip


@dataclass
class Round:
    """One side's turn.

    Attributes:
        stages: seconds, summed over all questions; those of a video once for every time it was done.
        waited: share of the time in which the model waited for a video.
    """

    seconds: float
    texts: dict[QuestionKey, str]
    stages: Stages = field(default_factory=dict)
    waited: float = 0.0


# The straightforward loop ---------------------------------------------------------------------------------


def read_in_order(path: Path, rule: SamplingRule) -> list[NDArray[np.uint8]]:
    """The wanted pictures [H, W, 3] of all that are decoded from the first on."""
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        indices = published_indices(
            stream.frames,
            float(stream.average_rate),
            num_frames=rule.num_frames,
            target_fps=rule.target_fps,
        )
        wanted, pictures = set(indices), {}
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                pictures[number] = frame.to_ndarray(format="rgb24")
            if number == max(wanted):
                break
    return [pictures[index] for index in indices]


def squares(pictures: Sequence[NDArray[np.uint8]], side: int) -> NDArray[np.uint8]:
    """Shortest edge to `side`, bicubic; the middle of it. uint8 [T, side, side, 3]."""
    made = []
    for picture in pictures:
        height, width = picture.shape[:2]
        scale = side / min(width, height)
        size = (side, int(side * height / width)) if width <= height else (int(side * width / height), side)
        image = Image.fromarray(picture)
        if scale != 1:
            image = image.resize(size, Image.Resampling.BICUBIC)
        left, top = (size[0] - side) // 2, (size[1] - side) // 2
        made.append(np.asarray(image.crop((left, top, left + side, top + side))))
    return np.stack(made)


@torch.inference_mode()
def ask_one(loaded: LoadedModel, rule: SamplingRule, question: Question) -> tuple[str, Stages]:
    """The answer to one question, and where its time went."""
    assert question.clip is not None
    clock = Clock(loaded.model.device)
    pictures = read_in_order(question.clip.path, rule)
    clock.stage("decode")
    resized = squares(pictures, loaded.processor.image_size)
    clock.stage("resize")
    return answer_about(loaded, resized, question, clock), clock.stages


@torch.inference_mode()
def answer_about(loaded: LoadedModel, resized: NDArray[np.uint8], question: Question, clock: Clock) -> str:
    """The answer to one question about pictures [T, side, side, 3]."""
    model, processor = loaded.model, loaded.processor
    pixels = (torch.from_numpy(resized).float() / 255 - MEAN) / STD
    pixels = pixels.permute(0, 3, 1, 2).contiguous().to(model.device, model.dtype)
    features = model.encode_video(pixels, chunk_frames=len(pixels))
    clock.stage("vision")
    ids = processor.tokenize(question.text(), has_video=True).to(model.device)
    output = model(input_ids=ids, video_features=[features], use_cache=True)
    token = int(output.logits[0, -1].argmax())
    clock.stage("prefill")
    kept: list[int] = []
    while token not in processor.eos_token_ids:
        kept.append(token)
        if len(kept) == question.max_new_tokens:
            break
        output = model(
            input_ids=torch.tensor([[token]], device=model.device),
            past_key_values=output.past_key_values,
            use_cache=True,
        )
        token = int(output.logits[0, -1].argmax())
    clock.stage("tokens")
    return processor.decode(kept)


class Clock:
    """Seconds of stages that follow each other."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last = time.perf_counter()
        self.stages: Stages = {}

    def stage(self, name: str) -> None:
        synchronise(self._device)
        now = time.perf_counter()
        self.stages[name] = now - self._last
        self._last = now


def loop_round(loaded: LoadedModel, rule: SamplingRule, workload: Workload) -> Round:
    texts: dict[QuestionKey, str] = {}
    stages: Stages = {}
    start = time.perf_counter()
    for question in workload.questions:
        texts[question.key], taken = ask_one(loaded, rule, question)
        for name, seconds in taken.items():
            stages[name] = stages.get(name, 0.0) + seconds
    return Round(time.perf_counter() - start, texts, stages)


class Loop:
    """The straightforward loop, in this process.

    Args:
        threads: of torch; None for one, or as many as torch has taken: whichever answers a few of `questions`
            sooner: some from the middle, whose videos are of middling length.
    """

    def __init__(
        self, loaded: LoadedModel, rule: SamplingRule, questions: Sequence[Question], threads: int | None
    ) -> None:
        self._loaded, self._rule = loaded, rule
        self.threads = threads or self._fastest_threads(questions)

    def round(self, workload: Workload) -> Round:
        with _threads(self.threads):
            return loop_round(self._loaded, self._rule, workload)

    def _fastest_threads(self, questions: Sequence[Question]) -> int:
        middle = len(questions) // 2
        few = Workload(tuple(questions[middle : middle + 4]), Clip(Path()))
        taken: dict[int, float] = {}
        for threads in (torch.get_num_threads(), 1) * 2:  # the first time of each warms up
            with _threads(threads):
                taken[threads] = loop_round(self._loaded, self._rule, few).seconds
        return min(taken, key=lambda threads: taken[threads])


class LoopProcess:
    """The straightforward loop in a process of its own, which sleeps while the engine has its turn."""

    def __init__(self, asked: argparse.Namespace, questions: Sequence[Question]) -> None:
        context = multiprocessing.get_context("spawn")
        self._orders, theirs = context.Pipe()
        self._process = context.Process(target=_serve_loop, args=(theirs, asked, questions), daemon=True)
        self._process.start()
        theirs.close()
        self.threads: int = self._orders.recv()

    def round(self, workload: Workload) -> Round:
        """Raises EOFError where the process has ended; it has printed why."""
        self._orders.send(workload)
        done: Round = self._orders.recv()
        return done


def _serve_loop(orders: Connection, asked: argparse.Namespace, questions: Sequence[Question]) -> None:
    loaded, rule = _loaded(asked)
    loop = Loop(loaded, rule, questions, asked.loop_threads)
    orders.send(loop.threads)
    while True:
        try:
            workload = orders.recv()
        except EOFError:
            return
        orders.send(loop.round(workload))


# The engine -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setting:
    """Of the engine.

    Attributes:
        decoders: None for what `sf-eval run` takes here.
    """

    decoders: int | None
    batch_size: int


def engine_round(
    model: SlowFastVideoModel, rule: SamplingRule, workload: Workload, setting: Setting
) -> Round:
    """Raises RuntimeError where a question failed."""
    with (
        closing(SharedCores(model.device, setting.decoders)) as cores,  # as `sf-eval run` does
        ClipPool(rule, decoders=cores.decoders, helpers=cores.helpers, resize=model.resize) as pool,
    ):
        list(pool.in_order([workload.warm_up] * (_WARM_UPS + cores.decoders + cores.helpers)))
        cores.take_turns(pool)
        waited_before, start = pool.waited_s, time.perf_counter()
        results = list(Engine(model, pool, batch_size=setting.batch_size).answer(workload.questions))
        seconds = time.perf_counter() - start
        waited = pool.waited_s - waited_before
    answers = [result for result in results if isinstance(result, Answer)]
    if len(answers) < len(results):
        raise RuntimeError(f"questions failed: {[one for one in results if not isinstance(one, Answer)]}")
    stages: Stages = {}
    for times in (answer.timings for answer in answers):
        for name, total, among in (
            ("decode", times.decode_s, times.shared_by),
            ("resize", times.preprocess_s, times.shared_by),
            ("upload", times.upload_s, times.shared_by),
            ("vision", times.vision_s, times.shared_by),
            ("prefix", times.prefix_s, times.shared_by),
            ("prefill", times.prefill_s, times.batch_size),
            ("tokens", times.generate_s, times.batch_size),
        ):
            stages[name] = stages.get(name, 0.0) + total / among
    return Round(seconds, {answer.key: answer.text for answer in answers}, stages, waited / seconds)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    """Torch has so many for the time being."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def both(
    loop: Loop | LoopProcess,
    model: SlowFastVideoModel,
    rule: SamplingRule,
    workload: Workload,
    setting: Setting,
    *,
    engine_first: bool,
) -> tuple[Round, Round]:
    """The loop's turn and the engine's."""
    if engine_first:
        engine = engine_round(model, rule, workload, setting)
    looped = loop.round(workload)
    if not engine_first:
        engine = engine_round(model, rule, workload, setting)
    return looped, engine


# What is asked --------------------------------------------------------------------------------------------


def workload_of(videos: int, per_video: int, order: str, max_new_tokens: int) -> Workload:
    """So many questions about each of so many mp4 files of mini Video-MME.

    Its own come first; where it has too few, other videos' are asked about it.
    """
    opened = open_benchmark(get_benchmark("videomme"), parse_source("mini"))
    clips: dict[str, Clip] = {}
    for document in opened.documents:
        clip = clip_of(opened, document, "whole")
        if clip.path.suffix == ".mp4" and clip.path.is_file():
            clips.setdefault(document.video_id, clip)
    names = list(clips)
    if len(names) <= videos:
        raise SystemExit(f"mini Video-MME has {len(names)} mp4 files; ask for fewer than that (--videos).")
    questions = []
    for name in names[:videos]:
        own = [one for one in opened.documents if one.video_id == name]
        others = [one for one in opened.documents if one.video_id != name]
        for number, document in enumerate((own + others)[:per_video]):
            key = QuestionKey(name, number)
            questions.append(Question(key, clips[name], document.prompt, max_new_tokens))
    if order == "mixed":
        random.Random(0).shuffle(questions)
    return Workload(tuple(questions), clips[names[videos]])


# What came of it ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """Both sides on one workload, over all rounds.

    Attributes:
        loop_per_s, engine_per_s: questions per second: median, least, most.
        times_faster: the loop's time divided by the engine's, round by round: median, least, most.
        equal_answers: questions that both sides answered with the same words, in every round.
        waited: share of the engine's time in which it waited for a video, median.
        loop_ms, engine_ms: milliseconds per question in each stage, medians. The engine's decode and resize
            run beside the rest, in other processes.
    """

    questions_per_video: int
    order: str
    questions: int
    rounds: int
    loop_per_s: tuple[float, float, float]
    engine_per_s: tuple[float, float, float]
    times_faster: tuple[float, float, float]
    equal_answers: int
    waited: float
    loop_ms: dict[str, float]
    engine_ms: dict[str, float]


def row_of(per_video: int, order: str, rounds: Sequence[tuple[Round, Round]]) -> Row:
    count = len(rounds[0][0].texts)
    keys = rounds[0][0].texts
    return Row(
        questions_per_video=per_video,
        order=order,
        questions=count,
        rounds=len(rounds),
        loop_per_s=_spread([count / loop.seconds for loop, _ in rounds]),
        engine_per_s=_spread([count / engine.seconds for _, engine in rounds]),
        times_faster=_spread([loop.seconds / engine.seconds for loop, engine in rounds]),
        equal_answers=sum(len({side.texts[key] for pair in rounds for side in pair}) == 1 for key in keys),
        waited=round(statistics.median(engine.waited for _, engine in rounds), 3),
        loop_ms=_per_question([loop for loop, _ in rounds], count),
        engine_ms=_per_question([engine for _, engine in rounds], count),
    )


def _spread(values: Sequence[float]) -> tuple[float, float, float]:
    return round(statistics.median(values), 2), round(min(values), 2), round(max(values), 2)


def _per_question(rounds: Sequence[Round], count: int) -> dict[str, float]:
    return {
        stage: round(1e3 * statistics.median(one.stages[stage] for one in rounds) / count, 2)
        for stage in rounds[0].stages
    }


def printed(row: Row) -> str:
    (loop, *_), (engine, *_), (times, low, high) = row.loop_per_s, row.engine_per_s, row.times_faster
    return (
        f"{row.questions_per_video:3} per video, {row.order:5}  loop {loop:7.2f}/s  engine {engine:7.2f}/s  "
        f"x{times:<6.2f} ({low} to {high})  waited {row.waited:4.0%}  "
        f"equal {row.equal_answers} of {row.questions}"
    )


def main() -> int:
    asked = _arguments()
    device = resolve_device(asked.device)
    loaded, rule = _loaded(asked)
    model = SlowFastVideoModel(loaded)
    each = workload_of(asked.videos, 1, "video", asked.max_new_tokens).questions
    own = (asked.loop_process or ("own" if device.type == "cpu" else "same")) == "own"
    loop = LoopProcess(asked, each) if own else Loop(loaded, rule, each, asked.loop_threads)
    setting = Setting(asked.decoders, asked.batch_size or automatic_batch_size(model, _card(asked)))
    rows = []
    for per_video in asked.questions:
        for order in ("video", "mixed"):
            workload = workload_of(asked.videos, per_video, order, asked.max_new_tokens)
            rounds = []
            for number in range(-1, asked.rounds):
                # The first round warms both sides up; then they go first in turn.
                part = workload if number >= 0 else Workload(workload.questions[:2], workload.warm_up)
                pair = both(loop, model, rule, part, setting, engine_first=bool(number % 2))
                if number >= 0:
                    rounds.append(pair)
            rows.append(row_of(per_video, order, rounds))
            print(printed(rows[-1]), flush=True)
    with closing(SharedCores(device, setting.decoders)) as cores:
        sides = asdict(setting) | {"decoders": cores.decoders, "helpers": cores.helpers}
    sides |= {"loop_threads": loop.threads, "loop_process": "own" if own else "same"}
    files.write_json(asked.out, _record(rows, asked, sides, device, rule))
    print(f"Written: {asked.out}")
    return 0 if all(row.equal_answers == row.questions for row in rows) or asked.dtype != "float32" else 1


def _card(asked: argparse.Namespace) -> ModelCard:
    return card_for(asked.model).with_frames(asked.frames)


def _loaded(asked: argparse.Namespace) -> tuple[LoadedModel, SamplingRule]:
    """The model both sides ask, in this process, and how it samples frames."""
    device, dtype = resolve_device(asked.device), DTYPES[asked.dtype]
    rule = rule_of(_card(asked))
    if rule.kind != "published":
        raise SystemExit("the loop samples by the published rule; take a card that does.")
    keep_float32_exact(device, dtype)
    return load_model(_card(asked), device=device, dtype=dtype), rule


def _record(
    rows: Sequence[Row],
    asked: argparse.Namespace,
    sides: dict[str, Any],
    device: torch.device,
    rule: SamplingRule,
) -> dict[str, Any]:
    from av import library_versions as libraries

    return {
        "schema_version": 1,
        "command": f"python benchmarks/throughput.py {' '.join(sys.argv[1:])}".strip(),
        "model": asked.model,
        "dtype": asked.dtype,
        "frames": rule.num_frames,
        "max_new_tokens": asked.max_new_tokens,
        "videos": asked.videos,
        **sides,
        "machine": {
            **machine.describe(device),
            "load_average_1_min": round(os.getloadavg()[0], 1),
            "ffmpeg": ".".join(map(str, libraries["libavcodec"])),
        },
        "versions": provenance.versions(),
        "git_commit": provenance.git_commit(),
        "rows": [asdict(row) for row in rows],
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="three videos, 1 and 3 questions, two rounds")
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--questions", type=int, nargs="+", default=[1, 3, 6, 10], help="per video")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--frames", type=int, help="default: the model card's")
    parser.add_argument("--max-new-tokens", type=int, default=256)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=sorted(DTYPES), default="float32")
    parser.add_argument("--decoders", type=int, help="default: what sf-eval run takes here")
    parser.add_argument("--loop-threads", type=int, help="of torch; default: what the loop is fastest with")
    parser.add_argument("--loop-process", choices=("own", "same"), help="default: own on the CPU")
    parser.add_argument("--batch-size", type=int, help="default: what sf-eval run takes here")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    if asked.quick:
        asked.videos, asked.questions, asked.rounds = 3, [1, 3], 2
    return asked


if __name__ == "__main__":
    sys.exit(main())
