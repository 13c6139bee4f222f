"""The driver's side: workers started, watched and replaced; videos handed out, results taken.

To `sf_eval.harness.ask` it is an engine like any other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from sf_eval.core.errors import SfEvalError
from sf_eval.harness.distributed.alike import refuse_differences
from sf_eval.harness.distributed.decoding import DecodeAhead
from sf_eval.harness.distributed.schedule import Schedule
from sf_eval.harness.distributed.tally import SlotTally, WorkerStatus
from sf_eval.harness.distributed.work import Hello, VideoWork, WorkerReport, WorkerSetup, videos_of
from sf_eval.harness.distributed.worker import Worker
from sf_eval.inference import Question, Result
from sf_eval.inference.family import ModelLostError

logger = logging.getLogger(__name__)

#: How often a worker is started anew without progress since: an answer of its own, or a deadly question of
#: whoever's that is recorded as such (`schedule.MOST_LOSSES`): else a few deadly videos used up every worker.
MOST_RESTARTS = 3
#: So many deadly videos are recorded before anything was answered at all; with more, no video is to blame.
MOST_DEADLY = 8
_START_LIMIT_S = 1800.0  # for a model to be loaded, or for Ray to find room for a worker
_WAIT_S = 1.0
_LOOK = "What the others died of stands in run.log."


class NoWorkerLeftError(ModelLostError):
    """All workers died, and were started anew as often as they may be."""

    exit_code = 1


class _WorkerDiedError(Exception):
    """The process, its machine or the way to it is gone; the text says what Ray knows."""


class CrewWatcher(Protocol):
    """Whoever shows what workers do."""

    def stage(self, text: str) -> None: ...
    def workers(self, status: Sequence[WorkerStatus]) -> None: ...


@dataclass
class _Slot:
    """A worker and its successors.

    Attributes:
        actor: Ray's handle; None where the slot is given up.
        pending: what is waited for: its hello, or its next report.
        hello: None until it said so.
        restarts: since its last answer, as `MOST_RESTARTS` counts them.
    """

    number: int
    actor: Any = None
    pending: Any = None
    hello: Hello | None = None
    started: float = 0.0
    restarts: int = 0
    tally: SlotTally = field(default_factory=SlotTally)


class Crew:
    """Answers with several workers; made by `sf_eval.harness.distributed.opening`.

    Args:
        count: of workers.
        gpus: of each: 1, or 0 for workers on the CPU.
        cpus: cores of each, as Ray counts them.
        decode_tasks: at a time, in place of the workers' own decoders; 0 for those.
        duration_of: of a question's video, in seconds, as far as known: for the order.

    Attributes:
        degraded: what was made smaller because memory ran out.
    """

    def __init__(
        self,
        setup: WorkerSetup,
        *,
        count: int,
        gpus: float,
        cpus: float,
        decode_tasks: int,
        duration_of: Callable[[Question], float],
        watcher: CrewWatcher,
    ) -> None:
        import ray

        self._ray = ray
        self._setup = setup
        self._actor = ray.remote(Worker).options(
            num_gpus=gpus, num_cpus=cpus, max_concurrency=4, max_restarts=0, scheduling_strategy="SPREAD"
        )
        self._slots = [_Slot(number) for number in range(count)]
        self._decode_tasks = decode_tasks
        self._duration_of = duration_of
        self._watcher = watcher
        self._first: Hello | None = None  # whom all others are held to
        self._last_lost = ""
        self._deadly: int | None = 0  # videos, before the first answer; None from then on
        self.degraded: list[str] = []

    @property
    def tallies(self) -> list[SlotTally]:
        """What each worker and its successors did, in their order."""
        return [slot.tally for slot in self._slots]

    @property
    def waiting_s(self) -> float:
        """For how long every worker that has something to do has been waiting for videos."""
        waiting = [slot.tally.now.waiting_s for slot in self._slots if slot.hello is not None]
        return min(waiting, default=0.0)

    def start(self) -> Hello:
        """Start all workers, wait until their models are loaded, compare what they loaded.

        Raises:
            WorkersDifferError: not all have the same versions and weights.
            SfEvalError: a worker's own error: weights that cannot be had there, say.
            NoWorkerLeftError: they die while they start.
        """
        for slot in self._slots:
            self._spawn(slot)
        while any(slot.actor is not None and slot.hello is None for slot in self._slots):
            for slot in self._ready_slots(()):
                self._greet(slot, None)
        self._require_one()
        for slot in self._slots:
            slot.pending = None if slot.actor is None else slot.actor.take.remote()
        self._watcher.workers(self._status())
        assert self._first is not None, "one is left, and all that are left said hello"
        return self._first

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]:
        """Answer them all; results come in whatever order.

        Raises:
            NoWorkerLeftError: nobody is left to ask.
            WorkersDifferError: a worker that was started anew is not like the others.
        """
        hello = self._first
        assert hello is not None, "start comes first"
        schedule = Schedule(
            videos_of(questions, self._duration_of),
            workers=len(self._slots),
            videos_ahead=max(hello.decoders, 1) + 1,
            questions_ahead=hello.model.batch_size,
        )
        decoding = self._decode_ahead(hello)
        while schedule.open_videos:
            if decoding is not None:
                decoding.fill(schedule)
            for slot in self._slots:
                self._hand_out(slot, schedule, decoding)
            ready = self._ready(() if decoding is None else decoding.waited_for)
            slots = {slot.pending: slot for slot in self._slots if slot.pending is not None}
            for reference in ready:
                if reference in slots:
                    slot = slots[reference]
                    yield from (
                        self._greet(slot, schedule) if slot.hello is None else self._hear(slot, schedule)
                    )
                elif decoding is not None:
                    number, cause = decoding.finished(reference)
                    yield from schedule.give_up(number, cause) if cause else ()
            yield from self._give_up_on_late_ones(schedule)
            self._watcher.workers(self._status())

    def close(self) -> None:
        """End all workers, whatever they do."""
        for slot in self._slots:
            if slot.actor is not None:
                self._end(slot)

    def _decode_ahead(self, hello: Hello) -> DecodeAhead | None:
        if not self._decode_tasks:
            return None
        return DecodeAhead(self._setup.decode, hello.resize, tasks=self._decode_tasks, ahead=len(self._slots))

    def _hand_out(self, slot: _Slot, schedule: Schedule, decoding: DecodeAhead | None) -> None:
        if slot.hello is None or slot.actor is None:
            return
        given: list[VideoWork] = []
        while video := schedule.next_for(slot.number, None if decoding is None else decoding.ready):
            given.append(video if decoding is None else replace(video, pictures=decoding.handed(video)))
        if given:
            slot.actor.give.remote(given)  # if it is dead by now, the pending report says so

    def _ready(self, others: Sequence[Any]) -> list[Any]:
        """References that are ready; waits a moment where none is."""
        self._require_one()
        waited_for = [*(slot.pending for slot in self._slots if slot.pending is not None), *others]
        ready, _ = self._ray.wait(waited_for, num_returns=1, timeout=_WAIT_S, fetch_local=True)
        if ready:
            ready, _ = self._ray.wait(waited_for, num_returns=len(waited_for), timeout=0, fetch_local=True)
        return list(ready)

    def _require_one(self) -> None:
        """Refuse to wait for nobody. Asked when all that the dead ones cost has been recorded.

        Raises:
            NoWorkerLeftError: all are given up.
        """
        if all(slot.actor is None for slot in self._slots):
            nothing = f"no answer yet and {self._deadly} deadly videos: " if self._deadly else ""
            raise NoWorkerLeftError(
                f"{nothing}no worker is left; the last one lost was {self._last_lost}", hint=_LOOK
            )

    def _ready_slots(self, others: Sequence[Any]) -> list[_Slot]:
        ready = set(self._ready(others))
        self._give_up_on_late_ones(None)
        return [slot for slot in self._slots if slot.pending in ready]

    def _greet(self, slot: _Slot, schedule: Schedule | None) -> list[Result]:
        """The slot's hello is there.

        Raises:
            WorkersDifferError: it is not like the others.
            Exception: its own error, where no run has begun yet (no `schedule`). Later, others can go on.
        """
        try:
            hello: Hello = self._got(slot.pending)
        except _WorkerDiedError as error:
            return self._replace(slot, schedule, str(error))
        except Exception as error:  # the worker's: its GPU is gone by now, say
            if schedule is None:
                raise
            own = getattr(error, "cause", None) or error  # what Ray wraps begins with Ray's own lines
            return self._replace(slot, schedule, f"{type(own).__name__}: {_first_line(own)}")
        known = {_called(other.number, other.hello): other.hello for other in self._slots if other.hello}
        if self._first is not None:  # it may be dead by now, with all others
            known["the first worker"] = self._first
        refuse_differences({**known, _called(slot.number, hello): hello})
        self._first = self._first or hello
        slot.hello = hello
        slot.tally.begin(hello.place)
        slot.pending = None if schedule is None else slot.actor.take.remote()
        started = sum(other.hello is not None for other in self._slots)
        if schedule is None and started < len(self._slots):
            self._watcher.stage(f"{started} of {len(self._slots)} workers are ready")
        return []

    def _hear(self, slot: _Slot, schedule: Schedule) -> Iterator[Result]:
        """The slot's report is there."""
        try:
            report: WorkerReport = self._got(slot.pending)
        except _WorkerDiedError as error:
            yield from self._replace(slot, schedule, str(error))
            return
        for line in report.log:
            logger.info("worker %d: %s", slot.number, line)
        self.degraded += [f"worker {slot.number}: {what}" for what in report.degraded]
        slot.tally.now = report.load
        slot.pending = slot.actor.take.remote()
        for result in report.results:
            held = schedule.holds(slot.number)
            if schedule.answered(slot.number, result.key):
                slot.restarts = 0
                self._deadly = None
                slot.tally.count(result, ends_video=schedule.holds(slot.number) < held)
                yield result
        if report.broken:
            yield from self._replace(slot, schedule, report.broken)

    def _got(self, reference: Any) -> Any:
        """What a worker answered.

        Raises:
            _WorkerDiedError: it is dead.
            Exception: its own error.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise (error.cause if isinstance(error.cause, SfEvalError) else error) from None
        except self._ray.exceptions.RayError as error:
            raise _WorkerDiedError(_first_line(error)) from error

    def _replace(self, slot: _Slot, schedule: Schedule | None, cause: str) -> list[Result]:
        """The slot's worker is dead or of no more use: another takes its place, as often as that may be.

        Returns:
            What failed with it. It is the caller's to record before `_require_one` is asked.
        """
        where = "" if slot.hello is None else f" on {slot.hello.place.host}"
        cause = f"worker {slot.number}{where}: {cause}"
        logger.warning("%s", cause)
        self._last_lost = cause
        self._end(slot)
        slot.tally.end(cause)
        failures: list[Result] = [] if schedule is None else [*schedule.lost(slot.number, cause)]
        if self._may_restart(slot, is_settled=bool(failures)):
            self._watcher.stage(f"Lost {cause}; it is started anew")
            self._spawn(slot)
        else:
            self._watcher.stage(f"Lost {cause}; it is given up")
            if schedule is not None and all(other.actor is None for other in self._slots):
                failures += schedule.left_suspect(cause)  # known to whoever goes on with this run
        return failures

    def _may_restart(self, slot: _Slot, *, is_settled: bool) -> bool:
        """Count one more death; `is_settled` if a deadly question is recorded with it."""
        if not is_settled:
            slot.restarts += 1
            return slot.restarts <= MOST_RESTARTS
        for other in self._slots:
            other.restarts = 0  # what they may have died of is out of the way
        if self._deadly is not None:
            self._deadly += 1
        return self._deadly is None or self._deadly < MOST_DEADLY

    def _give_up_on_late_ones(self, schedule: Schedule | None) -> list[Result]:
        failures: list[Result] = []
        for slot in self._slots:
            late = slot.actor is not None and slot.hello is None
            if late and time.monotonic() - slot.started > _START_LIMIT_S:
                slot.restarts = MOST_RESTARTS
                failures += self._replace(slot, schedule, f"it did not start within {_START_LIMIT_S:.0f} s")
        return failures

    def _spawn(self, slot: _Slot) -> None:
        fetch = self._ray.get if self._decode_tasks else None
        slot.actor = self._actor.remote(self._setup, fetch)
        slot.pending = slot.actor.hello.remote()
        slot.started = time.monotonic()

    def _end(self, slot: _Slot) -> None:
        with suppress(Exception):  # its machine, or all of Ray, may be gone: then so is the worker
            self._ray.kill(slot.actor)
        slot.actor = slot.pending = slot.hello = None

    def _status(self) -> list[WorkerStatus]:
        return [
            slot.tally.status(
                slot.number,
                is_starting=slot.actor is not None and slot.hello is None,
                is_gone=slot.actor is None,
            )
            for slot in self._slots
        ]


def _called(number: int, hello: Hello) -> str:
    return f"worker {number} on {hello.place.host}"


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
