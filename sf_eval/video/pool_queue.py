"""The jobs of a `ClipPool`: which is next, how many bytes wait to be taken, which clips are known to be bad.

Nothing here decodes. All of it may be called from any thread.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sf_eval.video.errors import VideoError
from sf_eval.video.loader import ClipLoader, LoaderClosedError
from sf_eval.video.types import Clip, Frames

Work = Callable[[ClipLoader, Clip], Any]


@dataclass(eq=False)
class Job:
    """Something to do with one clip.

    Attributes:
        work: what; its result or the error it raises becomes the outcome.
        shows_pictures: whether its outcome is `Frames`, which take room until they are taken.
        remember: whether an error of the clip stands for all further jobs of the clip.
        done: where the job goes when it is finished.
        queued: whether it was put among those that nobody waits for.
        begun: whether a decoder has taken it.
        outcome: None until it is finished.
        held_bytes: counted for it until it is taken.
    """

    clip: Clip
    work: Work
    shows_pictures: bool = True
    remember: bool = True
    done: deque[Job] | None = None
    queued: bool = False
    begun: bool = False
    abandoned: bool = False
    outcome: Any = field(default=None, repr=False)
    held_bytes: int = 0


class JobQueue:
    """Jobs that are waited for come first; those ahead of their time are begun as long as there is room.

    Args:
        max_bytes: of pictures of jobs that are begun and not yet taken.
        clip_bytes: of one clip at most; None where that shows only with the clips, whose largest then counts.
        decoders: among which the room is divided before the first clip is known.
    """

    def __init__(self, *, max_bytes: int, clip_bytes: int | None, decoders: int) -> None:
        self._max_bytes = max_bytes
        self._clip_bytes = clip_bytes
        self._share = max_bytes // decoders
        self._largest = 0
        self._changed = threading.Condition()
        self._urgent: deque[Job] = deque()
        self._ahead: deque[Job] = deque()
        self._bad: dict[Clip, VideoError] = {}
        self._held_bytes = 0
        self._running = 0
        self._shown: set[Job] = set()  # decoded, and not yet taken
        self._taking = False  # once somebody has taken one
        self._closed = False

    def add(self, jobs: Iterable[Job]) -> None:
        """Put jobs behind the others that nobody waits for; those that were put there before stay there.

        Raises:
            LoaderClosedError: after `close`.
        """
        with self._changed:
            if self._closed:
                raise LoaderClosedError("the clip pool is closed")
            for job in jobs:
                if not job.queued:
                    job.queued = True
                    self._ahead.append(job)
            self._changed.notify_all()

    def next(self, *, short_of: int | None = None) -> Job | None:
        """The next job to do, as soon as there is one and room for it; None after `close`.

        Args:
            short_of: wait until somebody takes pictures, has none left that are decoded, and at least so many
                jobs are left to do.
        """
        with self._changed:
            while not self._closed:
                if short_of is None or self._is_short(short_of):
                    if self._urgent:
                        return self._begin(self._urgent.popleft())
                    if self._ahead and (self._fits() or not self._ahead[0].shows_pictures):
                        return self._begin(self._ahead.popleft())
                self._changed.wait()
        return None

    def finish(self, job: Job, outcome: Any) -> None:
        """Tell what came of a job."""
        with self._changed:
            if job.remember and isinstance(outcome, VideoError):
                self._bad[job.clip] = outcome
            size = outcome.pixels.nbytes if isinstance(outcome, Frames) else 0
            self._largest = max(self._largest, size)
            self._hold(job, 0 if job.abandoned else size)
            job.outcome = outcome
            self._running -= job.begun
            if size and not job.abandoned:
                self._shown.add(job)
            if job.done is not None:
                job.done.append(job)
            self._changed.notify_all()

    def known_error(self, job: Job) -> VideoError | None:
        """What is known to be wrong with the job's clip."""
        with self._changed:
            return self._bad.get(job.clip) if job.remember else None

    def take(self, job: Job) -> Any:
        """Wait for the outcome of a job, before all that nobody waits for, and make room for others.

        Raises:
            LoaderClosedError: because of `close`.
        """
        with self._changed:
            if not self._taking:
                self._taking = True
                self._changed.notify_all()
            if not job.begun and job.outcome is None and not self._closed:
                if job in self._ahead:
                    self._ahead.remove(job)
                self._urgent.append(job)
                self._changed.notify_all()
            while job.outcome is None and not self._closed:
                self._changed.wait()
            if job.outcome is None:
                raise LoaderClosedError("the clip pool was closed while it decoded")
            self._hold(job, 0)
            self._shown.discard(job)
            self._changed.notify_all()
            return job.outcome

    def first(self, done: deque[Job]) -> Job:
        """Wait until a job is in `done`; which one.

        Raises:
            LoaderClosedError: because of `close`.
        """
        with self._changed:
            while not done and not self._closed:
                self._changed.wait()
            if not done:
                raise LoaderClosedError("the clip pool was closed while it decoded")
            return done.popleft()

    def abandon(self, jobs: Iterable[Job]) -> None:
        """Nobody will take these jobs: those not begun are dropped, the others' pictures not kept."""
        with self._changed:
            left = set(jobs)
            self._ahead = deque(job for job in self._ahead if job not in left)
            self._urgent = deque(job for job in self._urgent if job not in left)
            for job in left:
                job.abandoned = True
                self._shown.discard(job)
                if job.outcome is not None:
                    self._hold(job, 0)
            self._changed.notify_all()

    def close(self) -> None:
        """Whoever waits gets an error, and there is no next job."""
        with self._changed:
            self._closed = True
            self._urgent.clear()
            self._ahead.clear()
            self._changed.notify_all()

    @property
    def held_bytes(self) -> int:
        """Bytes that are counted for jobs begun and not yet taken."""
        return self._held_bytes

    @property
    def idle(self) -> bool:
        """Whether nothing is being decoded, nor left to decode."""
        with self._changed:
            return not (self._running or self._urgent or self._ahead)

    def _is_short(self, least: int) -> bool:
        return self._taking and not self._shown and len(self._urgent) + len(self._ahead) >= least

    def _fits(self) -> bool:
        return not self._held_bytes or self._held_bytes + self._expected() <= self._max_bytes

    def _expected(self) -> int:
        return self._clip_bytes if self._clip_bytes is not None else self._largest or self._share

    def _begin(self, job: Job) -> Job:
        job.begun = True
        self._running += 1
        self._hold(job, self._expected() if job.shows_pictures else 0)
        return job

    def _hold(self, job: Job, size: int) -> None:
        self._held_bytes += size - job.held_bytes
        job.held_bytes = size
