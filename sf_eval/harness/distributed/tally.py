"""What each worker did: for the screen while it works, for the record afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from sf_eval.harness.distributed.work import Load, Place
from sf_eval.harness.record import MemoryRecord, WorkerRecord
from sf_eval.inference import Failure, Result


@dataclass(frozen=True)
class WorkerStatus:
    """One worker's line.

    Attributes:
        state: "starting", "asking" or "given up".
        rate: questions a second since it said hello.
        device_bytes: allocated on its GPU now; None without one.
    """

    number: int
    host: str
    state: str
    videos: int
    questions: int
    rate: float
    device_bytes: int | None


@dataclass
class SlotTally:
    """A worker's and its successors' deeds.

    Attributes:
        now: how busy the present one is.
    """

    now: Load = field(default_factory=Load)
    _place: Place | None = None
    _before: list[Load] = field(default_factory=list)
    _losses: list[str] = field(default_factory=list)
    _answered: dict[str, list[int]] = field(default_factory=dict)
    _failed: int = 0
    _began: float = 0.0
    _videos: int = 0

    def begin(self, place: Place) -> None:
        """A worker said hello."""
        self._place = place
        self._began = self._began or time.monotonic()

    def end(self, cause: str) -> None:
        """It died."""
        self._losses.append(cause)
        self._before.append(self.now)
        self.now = Load()

    def count(self, result: Result, *, ends_video: bool) -> None:
        """It gave a result; the last of a video's, perhaps."""
        self._videos += ends_video
        self._answered.setdefault(result.key.task, []).append(result.key.index)
        self._failed += isinstance(result, Failure)

    @property
    def loads(self) -> list[Load]:
        """Of all of them, in their order."""
        return [*self._before, self.now]

    @property
    def questions(self) -> int:
        return sum(len(rows) for rows in self._answered.values())

    def status(self, number: int, *, is_starting: bool, is_gone: bool) -> WorkerStatus:
        seconds = time.monotonic() - self._began if self._began else 0.0
        return WorkerStatus(
            number=number,
            host="" if self._place is None else self._place.host,
            state="given up" if is_gone else "starting" if is_starting else "asking",
            videos=self._videos,
            questions=self.questions,
            rate=self.questions / seconds if seconds > 0 else 0.0,
            device_bytes=self.now.device_now,
        )

    def record(self, number: int) -> WorkerRecord:
        loads, place = self.loads, self._place
        return WorkerRecord(
            number=number,
            host="" if place is None else place.host,
            device="" if place is None else place.device,
            videos=self._videos,
            questions=self.questions,
            failed=self._failed,
            answered={task: ranges(rows) for task, rows in sorted(self._answered.items())},
            busy_s=sum(load.busy_s for load in loads),
            waited_s=sum(load.waited_s for load in loads),
            idle_s=sum(load.idle_s for load in loads),
            memory=memory_of(loads),
            lost=list(self._losses),
        )


def memory_of(loads: Iterable[Load]) -> MemoryRecord:
    """The most that any of them took."""
    loads = list(loads)
    return MemoryRecord(
        process_peak_bytes=max((load.process_peak for load in loads), default=0),
        device_allocated_peak_bytes=_most(load.device_peak for load in loads),
        device_reserved_peak_bytes=_most(load.device_reserved_peak for load in loads),
    )


def _most(values: Iterable[int | None]) -> int | None:
    return max((value for value in values if value is not None), default=None)


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as (first, last) of each unbroken row of them, in order."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
