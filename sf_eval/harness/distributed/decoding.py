"""Decoding wherever there are cores: Ray tasks, so many at a time, their pictures in its object store."""

from __future__ import annotations

from typing import Any

from sf_eval.core.resize import Resize
from sf_eval.harness.distributed.decode_task import DecodeSetup, decoded
from sf_eval.harness.distributed.schedule import Schedule
from sf_eval.harness.distributed.work import VideoWork
from sf_eval.video import WorkerStartError

_RETRIES = 2  # of a task whose process or machine died; Ray's own


class DecodeAhead:
    """Decodes what will be handed out next.

    Args:
        tasks: at a time, in the whole cluster.
        ahead: videos that are decoded and not yet handed out, at most.

    Attributes:
        ready: numbers of the videos that may be handed out.
    """

    def __init__(self, setup: DecodeSetup, resize: Resize | None, *, tasks: int, ahead: int) -> None:
        import ray

        self._ray = ray
        self._task = ray.remote(decoded).options(
            num_cpus=1, num_returns=2, max_retries=_RETRIES, scheduling_strategy="SPREAD"
        )
        self._setup, self._resize = setup, resize
        self._tasks, self._ahead = tasks, ahead
        self._running: dict[Any, int] = {}  # the small second return of a task: that it is done
        self._pictures: dict[int, Any] = {}
        self.ready: set[int] = set()

    @property
    def waited_for(self) -> list[Any]:
        """References that become ready when a task is done."""
        return list(self._running)

    def fill(self, schedule: Schedule) -> None:
        """Begin what may be begun."""
        for place, video in enumerate(schedule.upcoming(self._tasks + self._ahead)):
            if video.clip is None:
                self.ready.add(video.number)
            elif video.number not in self._pictures:
                is_full = len(self._pictures) >= self._tasks + self._ahead
                if len(self._running) >= self._tasks or (is_full and place):
                    return  # the first has room always: nothing else may be handed out before it
                pictures, done = self._task.remote(video.clip, self._setup, self._resize)
                self._pictures[video.number] = pictures
                self._running[done] = video.number

    def finished(self, reference: Any) -> tuple[int, str]:
        """A reference of `waited_for` is ready: which video, and what was the matter, "" for nothing.

        Raises:
            WorkerStartError: no decoder starts.
        """
        number = self._running.pop(reference)
        try:
            self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, WorkerStartError):
                raise error.cause from None
            del self._pictures[number]
            return number, f"it could not be decoded: {type(error.cause).__name__}: {error.cause}"
        except self._ray.exceptions.RayError as error:
            del self._pictures[number]
            return number, f"the processes that decoded it died: {str(error).splitlines()[0]}"
        self.ready.add(number)
        return number, ""

    def handed(self, video: VideoWork) -> Any:
        """The pictures of a video that goes to a worker now, which holds them from now on."""
        self.ready.discard(video.number)
        return self._pictures.pop(video.number, None)
