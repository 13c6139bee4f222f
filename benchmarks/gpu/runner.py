"""Gives each step its own process and its own time, and writes the report anew whenever there is more of it.

A step that raises, hangs, dies of a signal or takes the GPU's context with it costs itself: the next one
starts in a fresh process. Processes are forked from one that has imported the libraries (that saves half a
minute of a lent GPU); where that one's CUDA is in use already, which no child could use, or nothing is
imported, a step starts as a program of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from benchmarks.gpu import child
from benchmarks.gpu.book import Setup, read_book
from benchmarks.gpu.plan import Step
from benchmarks.gpu.report import StepRecord

_POLL_S = 0.05
_PR_SET_PDEATHSIG = 1  # prctl(2)
_UNKILLABLE_S = 10.0  # a process in the driver's hands can outlive SIGKILL: it is left behind then

Watcher = Callable[[tuple[StepRecord, ...]], object]


@dataclass(frozen=True)
class Runner:
    """How to run steps.

    Attributes:
        out: folder for files that steps leave.
        work: folder for the steps' books.
        log: file that everything the steps print is added to.
        total_s: for all of them; a step gets at most what is left.
        preloaded: this process has imported what the steps need, so that a fork is enough.
    """

    dry: bool
    device: str
    out: Path
    work: Path
    log: Path
    total_s: float
    preloaded: bool = False

    def run(self, steps: Sequence[Step], watcher: Watcher) -> tuple[StepRecord, ...]:
        """Run `steps` in turn; `watcher` is told all records whenever one changes."""
        deadline = time.monotonic() + self.total_s
        records = {step.name: _record(step, "not run", "its turn has not come") for step in steps}

        def tell(record: StepRecord) -> None:
            records[record.name] = record
            watcher(tuple(records.values()))

        for step in steps:
            limit_s = min(step.limit_s, deadline - time.monotonic())
            if limit_s < min(1.0, step.limit_s):
                tell(_record(step, "not run", "the time for all steps was used up"))
            else:
                tell(self._run(replace(step, limit_s=limit_s), tell))
        return tuple(records.values())

    def _run(self, step: Step, tell: Callable[[StepRecord], None]) -> StepRecord:
        setup = Setup(self.dry, self.device, step.limit_s, self.work / f"{step.name}.json", self.out)
        tell(_record(step, "running", ""))
        start, written = time.monotonic(), self.log.stat().st_size if self.log.exists() else 0
        pid = self._start(step, setup)
        status: int | None = None
        try:
            status = self._wait(pid, step, setup, start, tell)
        finally:  # also when this process is interrupted
            _end(pid, already=status is not None)
        record = _record(step, "ok", "")
        if status is None:
            record = _record(step, "timeout", f"ended after its {step.limit_s:.0f} s")
        elif status:
            record = _record(step, "failed", _reason(status, self.log, written))
        return _filled(record, setup, time.monotonic() - start)

    def _wait(
        self, pid: int, step: Step, setup: Setup, start: float, tell: Callable[[StepRecord], None]
    ) -> int | None:
        """The exit code of a step, or None once its time is up; tells what it writes meanwhile."""
        seen = 0
        while time.monotonic() - start < step.limit_s:
            time.sleep(_POLL_S)
            if (status := _ended(pid)) is not None:
                return status
            changed = setup.step_file.stat().st_mtime_ns if setup.step_file.is_file() else 0
            if changed != seen:
                seen = changed
                tell(_filled(_record(step, "running", ""), setup, time.monotonic() - start))
        return None

    def _start(self, step: Step, setup: Setup) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(step, setup)
        return pid

    def _become(self, step: Step, setup: Setup) -> NoReturn:
        """In the child: run the step; nothing of the parent's goes on."""
        try:
            os.setsid()
            if sys.platform == "linux":  # a step outlives nobody who could end it
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.write(log, f"\n=== {step.name} ===\n".encode())
            os.dup2(log, 1)
            os.dup2(log, 2)
            if not self.preloaded or _cuda_is_lost():
                command = [sys.executable, "-m", "benchmarks.gpu.child", step.module, setup.to_json()]
                os.execv(sys.executable, command)  # noqa: S606  # no shell is wanted
            code = child.run_step(step.module, setup)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        finally:
            os._exit(1)


def _cuda_is_lost() -> bool:
    """Whether this forked child cannot use CUDA, since its parent did."""
    torch = sys.modules.get("torch")
    return torch is not None and bool(torch.cuda._is_in_bad_fork())


def _ended(pid: int) -> int | None:
    """The exit code (minus the signal's number) of a child that has ended, else None."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _end(pid: int, *, already: bool) -> None:
    """Kill a step and whatever it started (they are one process group), and wait for it a while."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    deadline = time.monotonic() + _UNKILLABLE_S
    while not already and time.monotonic() < deadline:
        if _ended(pid) is not None:
            return
        time.sleep(_POLL_S)


def _record(step: Step, status: str, reason: str) -> StepRecord:
    return StepRecord(step.name, step.title, status, reason, 0.0, step.limit_s)  # type: ignore[arg-type]


def _filled(record: StepRecord, setup: Setup, seconds: float) -> StepRecord:
    """The record with what the step's book holds by now."""
    rows, detail = read_book(setup.step_file)
    return replace(record, rows=rows, detail=detail, seconds=seconds)


def _reason(code: int, log: Path, written: int) -> str:
    """What a failed step said last, or the signal it died of."""
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    with log.open("rb") as stream:
        stream.seek(written)
        lines = stream.read().decode("utf-8", errors="replace").strip().splitlines()
    last = lines[-1].strip() if lines else ""
    return last.removeprefix("problem: ") or f"exit code {code}"
