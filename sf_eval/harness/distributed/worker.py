"""A worker: one model on one device, its own decoders, the engine in a thread of its own.

The driver gives it videos and takes results; neither waits for an answer. Whatever cannot be answered any
more (a lost GPU, no decoder starts) is told as `broken`: the driver ends the process and starts another.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import torch

from sf_eval.harness.decoding.cores import automatic_decoders, limit_threads
from sf_eval.harness.distributed.work import Hello, Load, Place, VideoWork, WorkerReport, WorkerSetup
from sf_eval.harness.facts import report_of
from sf_eval.inference import Question, QuestionKey, Result, machine
from sf_eval.inference.device import pixel_room, resolve_device, resolve_dtype
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import open_model
from sf_eval.inference.family import VideoModel
from sf_eval.inference.grouping import ends_everything
from sf_eval.video import Clip, ClipPool, Frames

_LOG_LINES = 1000  # kept until they are taken; older ones are in no file
_TAKE_S = 1.0  # the driver learns that a worker lives at least so often


class Pictures(Protocol):
    """Where a worker's pictures come from: its own decoders, or the run's decode tasks."""

    @property
    def waited_s(self) -> float: ...
    @property
    def waiting_s(self) -> float: ...

    def expect(self, video: VideoWork) -> None:
        """The video's clip will be loaded, after those that were expected before it."""

    def load(self, clip: Clip) -> Frames: ...

    def answered(self, key: QuestionKey) -> None:
        """The question has its result: its clip will not be loaded for it again."""


class OwnDecoders:
    """The worker's own processes decode ahead.

    Args:
        share: a clip is loaded once for all its questions, or once for each.
    """

    def __init__(self, pool: ClipPool, *, share: bool) -> None:
        self._pool = pool
        self._share = share
        self.load = pool.load

    @property
    def waited_s(self) -> float:
        return self._pool.waited_s

    @property
    def waiting_s(self) -> float:
        return self._pool.waiting_s

    def expect(self, video: VideoWork) -> None:
        if video.clip is not None:
            self._pool.prefetch([video.clip] * (1 if self._share else len(video.questions)))

    def answered(self, key: QuestionKey) -> None:
        """The pool keeps no clip that was loaded."""


class HandedPictures:
    """Pictures that others decode: each video comes with a handle of them.

    It is kept until the last question about the video has its result: a video that did not fit beside others
    is loaded once more.

    Args:
        fetch: waits for what a handle stands for: frames, or what they ended in.
    """

    def __init__(self, fetch: Callable[[Any], Frames | Exception]) -> None:
        self._fetch = fetch
        self._handles: dict[Clip, Any] = {}
        self._clip_of: dict[QuestionKey, Clip] = {}  # of questions without a result
        self._open: Counter[Clip] = Counter()
        self._since: float | None = None
        self.waited_s = 0.0

    @property
    def waiting_s(self) -> float:
        since = self._since
        return 0.0 if since is None else time.perf_counter() - since

    def expect(self, video: VideoWork) -> None:
        if video.clip is not None:
            self._handles[video.clip] = video.pictures
            self._clip_of.update((question.key, video.clip) for question in video.questions)
            self._open[video.clip] += len(video.questions)

    def answered(self, key: QuestionKey) -> None:
        clip = self._clip_of.pop(key, None)
        if clip is None:
            return
        self._open[clip] -= 1
        if not self._open[clip]:
            del self._open[clip], self._handles[clip]

    def load(self, clip: Clip) -> Frames:
        self._since = started = time.perf_counter()
        try:
            frames = self._fetch(self._handles[clip])
        finally:
            self._since = None
            self.waited_s += time.perf_counter() - started
        if isinstance(frames, Exception):
            raise frames
        # What was fetched lies in memory that is shared and read-only; the copy lets go of it.
        return replace(frames, pixels=frames.pixels.copy())


class Worker:
    """Answers the videos that it is given, in their order; made and asked in a process of its own.

    `hello` loads the model and comes first. All other methods may be called from any thread, and none of
    them waits for an answer.

    Args:
        fetch: where pictures come from elsewhere (`HandedPictures`); None decodes here.
    """

    def __init__(self, setup: WorkerSetup, fetch: Callable[[Any], Frames | Exception] | None = None) -> None:
        self.setup = setup
        self._fetch = fetch
        self._changed = threading.Condition()
        self._given: deque[VideoWork] = deque()
        self._open = 0  # questions in hand
        self._results: list[Result] = []
        self._ended: BaseException | None = None
        self._idle_s, self._idle_since = 0.0, time.perf_counter()
        self._log = _KeptLog()
        self._log.listen()
        self._degraded_told = 0

    def hello(self) -> Hello:
        """Load the model, start the engine, tell what was loaded.

        Raises:
            SfEvalError: the weights cannot be had here or do not fit.
        """
        setup = self.setup
        torch.manual_seed(setup.seed)
        device = resolve_device(setup.device)
        model = open_model(
            setup.card, device=device, dtype=resolve_dtype(setup.dtype, device), attn=setup.attn
        )
        report = report_of(
            setup.card,
            model,
            attn=setup.attn,
            video_backend=setup.decode.backend,
            batch_size=setup.batch_size,
            share=setup.share,
        )
        decoders = self._begin(model, report.batch_size)
        place = Place(platform.node(), machine.device_name(model.device), os.getpid())
        return Hello(place, report, decoders, model.resize)

    def give(self, videos: Sequence[VideoWork]) -> None:
        """Answer these too; what goes wrong here, `take` tells."""
        with self._changed:
            try:
                self._accept(videos)
            except Exception as error:  # nobody waits for this call
                self._ended = error
            self._changed.notify_all()

    def _accept(self, videos: Sequence[VideoWork]) -> None:
        for video in videos:
            self._pictures.expect(video)
            if not self._open:
                self._idle_s += time.perf_counter() - self._idle_since
            self._open += len(video.questions)
            self._given.append(video)

    def take(self) -> WorkerReport:
        """What there is to tell; waits a moment where there is nothing.

        Raises:
            Exception: the engine's own, where that is a defect of ours.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._results or self._ended, timeout=_TAKE_S)
            results, self._results = tuple(self._results), []
            ended = self._ended
        if (
            ended is not None
            and not results
            and not (isinstance(ended, Exception) and ends_everything(ended))
        ):
            raise ended
        degraded = tuple(self._engine.degraded)[self._degraded_told :]
        self._degraded_told += len(degraded)
        return WorkerReport(
            results=results,
            load=self._load(),
            degraded=degraded,
            log=self._log.taken(),
            broken="" if ended is None or results else f"{type(ended).__name__}: {ended}",
        )

    def _begin(self, model: VideoModel, batch_size: int) -> int:
        setup, asked = self.setup, self.setup.decode.decoders
        if self._fetch is not None:
            decoders = 0
        else:
            decoders = automatic_decoders(model.device, setup.models_here) if asked is None else asked
        limit_threads(model.device, decoders, setup.models_here)
        self._pictures = self._pictures_of(model, decoders)
        self._engine = Engine(model, None, batch_size=batch_size, share=setup.share)
        self._since = time.perf_counter()
        self._idle_since = self._since
        threading.Thread(target=self._run, name="engine", daemon=True).start()
        return decoders

    def _pictures_of(self, model: VideoModel, decoders: int) -> Pictures:
        decode = self.setup.decode
        if self._fetch is not None:
            return HandedPictures(self._fetch)
        pool = ClipPool(
            decode.rule,
            decoders=decoders,
            resize=model.resize,
            backend=decode.backend,
            timeout_s=decode.timeout_s,
            seek=decode.seek,
        )
        pool.read_into(pixel_room(model.device))
        return OwnDecoders(pool, share=self.setup.share)

    def _run(self) -> None:
        """The engine's thread: answers for ever."""
        try:
            for result in self._engine.answer_arriving(self._arriving(), self._pictures.load):
                self._pictures.answered(result.key)
                with self._changed:
                    self._results.append(result)
                    self._open -= 1
                    if not self._open:
                        self._idle_since = time.perf_counter()
                    self._changed.notify_all()
        except BaseException as error:
            with self._changed:
                self._ended = error
                self._changed.notify_all()

    def _arriving(self) -> Iterator[Sequence[Question]]:
        """The questions of each given video; nothing, once, where no further one is in hand."""
        while True:
            with self._changed:
                video = self._given.popleft() if self._given else None
            yield () if video is None else video.questions
            if video is None:
                with self._changed:
                    self._changed.wait_for(lambda: self._given)

    def _load(self) -> Load:
        device = self._engine.model.device
        peak = machine.peak_memory(device)
        with self._changed:
            now = time.perf_counter()
            idle = self._idle_s + (0.0 if self._open else now - self._idle_since)
        waited = self._pictures.waited_s
        return Load(
            busy_s=max(0.0, now - self._since - idle - waited),
            waited_s=waited,
            idle_s=idle,
            waiting_s=self._pictures.waiting_s,
            process_peak=peak.process,
            device_peak=peak.device_allocated,
            device_reserved_peak=peak.device_reserved,
            device_now=torch.cuda.memory_allocated(device) if device.type == "cuda" else None,
        )


class _KeptLog(logging.Handler):
    """Keeps the lines of this process's log until the driver takes them."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)

    def listen(self) -> None:
        root = logging.getLogger()
        root.addHandler(self)
        root.setLevel(logging.INFO)
        logging.captureWarnings(True)

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

    def taken(self) -> tuple[str, ...]:
        lines = []
        while self._lines:
            lines.append(self._lines.popleft())
        return tuple(lines)
