"""What is asked of whatever answers a run, wherever its models are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sf_eval.harness.ask import Answering
from sf_eval.harness.distributed.tally import WorkerStatus
from sf_eval.harness.facts import ModelReport
from sf_eval.harness.record import MemoryRecord, WorkerRecord

#: More than all but the largest benchmarks have: between two portions the decoders wait once.
AT_ONCE = 16384


@dataclass(frozen=True)
class Took:
    """What answering took, so far; as in `sf_eval.harness.record.Usage`."""

    memory: MemoryRecord
    waited_s: float
    degraded: tuple[str, ...]
    workers: tuple[WorkerRecord, ...] = ()
    first_video_s: float | None = None


@dataclass(frozen=True)
class Opened:
    """Ready to be asked.

    Attributes:
        waiting_s: for how long answering has been waiting for a video now, in seconds.
        at_once: how many questions the engine is handed at a time; None for all, where their order is its own
            (workers take the longest videos first).
    """

    model: ModelReport
    engine: Answering
    waiting_s: Callable[[], float]
    took: Callable[[], Took]
    at_once: int | None = AT_ONCE


class OpeningWatcher(Protocol):
    """Whoever shows what happens meanwhile."""

    def stage(self, text: str) -> None: ...
    def workers(self, status: Sequence[WorkerStatus]) -> None:
        """What each worker has done so far, with `--workers`; called about once a second."""
