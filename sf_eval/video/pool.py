"""`ClipPool`: clips decoded ahead by several processes that can be killed, as many as fit into so many bytes.

A decoder is a `ClipLoader`: a process, the pipe to it, a time limit. A thread of ours waits for each, and
does no more than wait: decoding and resizing are the process's work.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize
from sf_eval.video.errors import VideoError
from sf_eval.video.loader import ClipLoader
from sf_eval.video.pool_queue import Job, JobQueue
from sf_eval.video.types import Clip, ClipPlan, Frames, SamplingRule, VideoInfo
from sf_eval.video.wire import PixelRoom, ordinary_room

DEFAULT_MAX_BYTES = 2_000_000_000
_WORTH_A_START = 8
"""So many clips left to decode are worth a helper's process, which takes longer to start than short ones to
decode."""
_T = TypeVar("_T")
CheckedFrames = Sequence[int] | Literal["ends", "full", "rule"]


class ClipPool:
    """Decodes clips in `decoders` processes, each of which is killed if it hangs and replaced if it dies.

    What `in_order` and `checked` are given is begun in that order, as long as the pictures that are decoded
    or being decoded and not yet taken fit into `max_bytes`. What somebody waits for goes first, and needs no
    room. A clip that failed is not tried again: its error stands for all its questions.
    Frames do not depend on the number of decoders. May be used from several threads.

    Args:
        rule: which frames to take of every clip.
        decoders: processes; 0 is one process that decodes a clip when it is asked for, and nothing ahead.
        helpers: more of them, that decode only while whoever takes the clips is left with none that are
            decoded. A helper's process starts only where eight or more are left.
        resize: carried out in the decoders' processes.
        threads: of FFmpeg in each decoder; None is as many as there are cores.
        max_bytes: of pictures that wait to be taken. A clip larger than that is decoded when nothing else
            waits. Without `resize` a clip's size is known only afterwards: the largest so far is expected of
            the next.
        backend, timeout_s, seek: as of `ClipLoader`; the limit is of one clip, from when a decoder begins it.

    Attributes:
        waited_s: seconds that callers have waited for clips so far.
        first_decoded_at: when the first clip was done, in seconds of `time.time()`; None before.

    Raises:
        UsageError: a negative number of decoders, helpers of none, no room at all, or what `ClipLoader`
            refuses.
    """

    def __init__(
        self,
        rule: SamplingRule,
        *,
        decoders: int,
        helpers: int = 0,
        resize: Resize | None = None,
        threads: int | None = 1,
        max_bytes: int = DEFAULT_MAX_BYTES,
        backend: str = "pyav",
        timeout_s: float = 600.0,
        seek: bool = True,
    ) -> None:
        if decoders < 0:
            raise UsageError(f"there cannot be {decoders} decoders.", hint="Give 0 or more.")
        if helpers and not decoders:
            raise UsageError("helpers need decoders to help.", hint="Give a decoder, or no helpers.")
        if max_bytes < 1:
            raise UsageError(f"no clip fits into {max_bytes} bytes.", hint="Give more.")
        self._loader = partial(
            ClipLoader, rule, backend=backend, timeout_s=timeout_s, seek=seek, threads=threads, resize=resize
        )
        self._loaders = [self._loader() for _ in range(max(decoders, 1))]
        self.rule, self.backend, self.timeout_s = rule, backend, self._loaders[0].timeout_s
        self.resize, self.seek, self._asked_timeout_s = resize, seek, timeout_s
        self.decoders = decoders
        self._room: PixelRoom = ordinary_room
        self._told_busy: Callable[[bool], None] = lambda _: None
        self.waited_s = 0.0
        self.first_decoded_at: float | None = None
        self._waiting = threading.Lock()  # guards waited_s and the three below
        self._prefetched: dict[Clip, deque[Job]] = {}
        self._waiters, self._waiting_since = 0, 0.0
        clip_bytes = None if resize is None else rule.num_frames * resize.size**2 * 3
        self._queue = JobQueue(
            max_bytes=max_bytes, clip_bytes=clip_bytes, decoders=len(self._loaders) + helpers
        )
        self._threads: list[threading.Thread] = []
        self._helpers = 0
        for loader in self._loaders[:decoders]:
            self._start(loader)
        self.grow(decoders, helpers)

    def decodes_as(
        self, rule: SamplingRule, *, resize: Resize | None, backend: str, timeout_s: float, seek: bool
    ) -> bool:
        """Whether a pool made with these arguments would give the same of every clip."""
        own = (self.rule, self.resize, self.backend, self._asked_timeout_s, self.seek)
        return own == (rule, resize, backend, timeout_s, seek)

    def grow(self, decoders: int, helpers: int = 0) -> None:
        """Go on with at least so many of them; a pool that decodes nothing ahead stays as it is."""
        while 0 < self.decoders < decoders:
            self.decoders += 1
            self._start(self._another())
        while self.decoders and self._helpers < helpers:
            self._helpers += 1
            self._start(self._another(), helps=True)

    def _another(self) -> ClipLoader:
        self._loaders.append(self._loader())
        self._loaders[-1].room = self._room
        return self._loaders[-1]

    def read_into(self, room: PixelRoom) -> None:
        """Let pictures be read into memory of another kind from now on, such as a GPU copies from."""
        self._room = room
        for loader in self._loaders:
            loader.room = room

    def tell_busy(self, told: Callable[[bool], None]) -> None:
        """Let those who take clips `in_order` call this in their thread, before each: are decoders busy?"""
        self._told_busy = told

    def _start(self, loader: ClipLoader, *, helps: bool = False) -> None:
        thread = threading.Thread(target=self._serve, args=(loader, helps), name="clip-pool", daemon=True)
        self._threads.append(thread)
        thread.start()

    def prefetch(self, clips: Iterable[Clip]) -> None:
        """Decode `clips` ahead, in this order, one for each coming call of `load`; does not wait.

        Every clip should be loaded once for each time it is prefetched: until then it takes room.

        Raises:
            LoaderClosedError: after `close`.
        """
        if not self.decoders:
            return
        jobs = [Job(clip, ClipLoader.load) for clip in clips]
        with self._waiting:
            for job in jobs:
                self._prefetched.setdefault(job.clip, deque()).append(job)
        self._queue.add(jobs)

    def load(self, clip: Clip) -> Frames:
        """The frames of `clip`, decoded ahead or now.

        Raises:
            VideoError: what is wrong with the clip; at once, if that is known.
            LoaderClosedError: after, or because of, `close`.
        """
        frames: Frames = self._result(self._ahead_or_new(clip))
        return frames

    def plan(self, clip: Clip) -> ClipPlan:
        """Which frames are shown of a clip, and when.

        Raises:
            VideoError: what is wrong with the clip; at once, if that is known.
            LoaderClosedError: after, or because of, `close`.
        """
        plan: ClipPlan = self._result(Job(clip, ClipLoader.plan, shows_pictures=False))
        return plan

    def check(self, clip: Clip, indices: CheckedFrames = "ends") -> VideoInfo:
        """As `ClipLoader.check`; raises the same."""
        info: VideoInfo = self._result(_check_job(clip, indices))
        return info

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]:
        """Each clip with its frames, or with what is wrong with it, in the order of `clips`.

        What was prefetched is taken from there; what was prefetched and is not wanted now is given up.

        Raises:
            LoaderClosedError: after, or because of, `close`.
        """
        jobs = [self._ahead_or_new(clip) for clip in clips]
        with self._waiting:
            unwanted = [job for left in self._prefetched.values() for job in left]
            self._prefetched.clear()
        self._queue.abandon(unwanted)
        return self._each(jobs)

    def checked(
        self, clips: Iterable[Clip], indices: CheckedFrames = "ends"
    ) -> Generator[tuple[Clip, VideoInfo | VideoError], None, None]:
        """Each clip with its facts after `check`, or with what is wrong with it, as soon as it is done.

        A clip that hangs keeps nothing waiting.
        """
        done: deque[Job] = deque()
        return self._each([_check_job(clip, indices, done) for clip in clips], done)

    def close(self) -> None:
        """End the processes, also in the middle of a clip. Can be called twice and from any thread."""
        self._queue.close()
        for loader in self._loaders:
            loader.close()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> ClipPool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def held_bytes(self) -> int:
        """Bytes of pictures that are decoded, or expected of those being decoded, and not yet taken."""
        return self._queue.held_bytes

    @property
    def waiting_s(self) -> float:
        """For how many seconds somebody has been waiting for a clip now; 0 where nobody is."""
        with self._waiting:
            return time.perf_counter() - self._waiting_since if self._waiters else 0.0

    def worker_pids(self) -> list[int]:
        """Process ids of the decoders that run."""
        return [pid for loader in self._loaders if (pid := loader.worker_pid()) is not None]

    def _ahead_or_new(self, clip: Clip) -> Job:
        with self._waiting:
            jobs = self._prefetched.get(clip)
            job = jobs.popleft() if jobs else Job(clip, ClipLoader.load)
            if not jobs:
                self._prefetched.pop(clip, None)
        return job

    def _serve(self, loader: ClipLoader, helps: bool) -> None:
        while (job := self._queue.next(short_of=_worth_helping(loader) if helps else None)) is not None:
            self._do(loader, job)

    def _do(self, loader: ClipLoader, job: Job) -> None:
        outcome: Any = self._queue.known_error(job)
        if outcome is None:
            try:
                outcome = job.work(loader, job.clip)
            except Exception as error:  # whoever takes the job gets it
                outcome = error
        if self.first_decoded_at is None and isinstance(outcome, Frames):
            self.first_decoded_at = time.time()
        self._queue.finish(job, outcome)

    def _each(
        self, jobs: list[Job], done: deque[Job] | None = None
    ) -> Generator[tuple[Clip, Any], None, None]:
        """The jobs' clips and outcomes, in order, or as they come into `done`."""
        left = deque(jobs)
        if self.decoders:
            self._queue.add(jobs)
        try:
            for following in jobs:
                job = following
                if done is not None and self.decoders:
                    job = self._waited(partial(self._queue.first, done))
                left.remove(job)
                yield job.clip, self._handed_over(job)  # in no variable of ours
        finally:
            self._queue.abandon(left)

    def _handed_over(self, job: Job) -> Any:
        """The job's outcome, or its clip's error; the pictures are the caller's alone."""
        try:
            return self._result(job)
        except VideoError as error:
            return error
        finally:
            job.outcome = None
            self._told_busy(not self._queue.idle)

    def _result(self, job: Job) -> Any:
        """Wait for a job; its outcome, raised if it is an error."""
        try:
            outcome = self._waited(partial(self._outcome, job))
        except BaseException:  # Ctrl-C too: nobody will take what is being decoded
            self._queue.abandon([job])
            raise
        if isinstance(outcome, VideoError):  # it may be raised often, and an error collects its tracebacks
            raise VideoError(outcome.path, outcome.reason, outcome.detail)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _outcome(self, job: Job) -> Any:
        if not self.decoders:
            self._do(self._loaders[0], job)
        return self._queue.take(job)

    def _waited(self, wait: Callable[[], _T]) -> _T:
        started = time.perf_counter()
        with self._waiting:
            self._waiting_since = self._waiting_since if self._waiters else started
            self._waiters += 1
        try:
            return wait()
        finally:
            with self._waiting:
                self.waited_s += time.perf_counter() - started
                self._waiters -= 1


def _worth_helping(loader: ClipLoader) -> int:
    """How many clips must be left for it to begin one."""
    return _WORTH_A_START if loader.worker_pid() is None else 1


def _check_job(clip: Clip, indices: CheckedFrames, done: deque[Job] | None = None) -> Job:
    def work(loader: ClipLoader, clip: Clip) -> VideoInfo:
        return loader.check(clip, indices)

    # What a check finds may lie where no question looks.
    return Job(clip, work, shows_pictures=False, remember=False, done=done)
