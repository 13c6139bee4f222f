"""Progress on the terminal: rate, remaining time and accuracy so far, or that videos are waited for; one line
a stage where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn
from rich.text import Text

from sf_eval.core.text import printable
from sf_eval.harness.distributed.tally import WorkerStatus
from sf_eval.inference import Failure, Result
from sf_eval.scoring.intervals import running95
from sf_eval.scoring.outcome import Outcome

_FAILURES_SHOWN = 5
_WAITING_SHOWN_S = 1.0  # shorter waits only flicker


class _Pace:
    """How fast questions are answered: without loading, and without an earlier run's answers."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._answered = 0

    def count(self, *, resumed: bool) -> None:
        self._last = time.monotonic()
        if not resumed:
            self._answered += 1
        elif not self._answered:
            self._began = self._last

    def shown(self, open_questions: float) -> str:
        """Rate and remaining time: "0.15/s  0:05:21 left"; nothing before the first answer."""
        if not self._answered:
            return ""
        each = max(self._last - self._began, 1e-6) / self._answered
        rate = f"{1 / each:.2f}/s" if each < 10 else f"{each:.0f} s each"
        left = max(open_questions * each - (time.monotonic() - self._last), 0)
        return f" {rate}  {timedelta(seconds=round(left))} left"


class _Tally:
    """How many are right of those that could be judged, resumed ones too."""

    def __init__(self) -> None:
        self.failed = 0
        self._judged = 0
        self._correct = 0.0
        self._by_video: dict[str, tuple[int, float]] = {}
        self._interval: tuple[int, str] = (0, "")  # for how many judged, and as it is shown

    def count(self, outcome: Outcome, video: str, credit: float | None = None) -> None:
        self.failed += outcome.is_failure
        if outcome.is_scored:
            earned = float(outcome is Outcome.correct) if credit is None else credit
            judged, right = self._by_video.get(video, (0, 0.0))
            self._by_video[video] = (judged + 1, right + earned)
            self._judged += 1
            self._correct += earned

    def shown(self) -> str:
        """ "81% [72, 90] of 64 right, 2 failed"; without what there is none of.

        The interval is the record's (docs/scoring.md), for all tasks' questions alike.
        """
        right = ""
        if self._judged:
            right = f"{100 * self._correct / self._judged:.0f}%{self._sure()} of {self._judged} right"
        failed = f"{self.failed} failed" if self.failed else ""
        return ", ".join(filter(None, (right, failed)))

    def _sure(self) -> str:
        """Worked out once an answer, not ten times a second."""
        judged, shown = self._interval
        if judged != self._judged:
            bounds = running95(self._by_video)
            shown = "" if bounds is None else f" [{100 * bounds[0]:.0f}, {100 * bounds[1]:.0f}]"
            self._interval = (self._judged, shown)
        return shown


@dataclass
class _Asking:
    """What is shown while questions are asked."""

    waiting_s: Callable[[], float]
    pace: _Pace = field(default_factory=_Pace)
    tally: _Tally = field(default_factory=_Tally)

    def pace_or_wait(self, open_questions: float) -> str:
        if open_questions and self.waiting_s() >= _WAITING_SHOWN_S:
            return " waiting for videos"
        return self.pace.shown(open_questions)


class _PaceColumn(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        asking: _Asking | None = task.fields["asking"]
        shown = "" if asking is None else asking.pace_or_wait(task.remaining or 0)
        return Text(shown, style="progress.remaining")


class _TallyColumn(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        asking: _Asking | None = task.fields["asking"]
        return Text("" if asking is None else asking.tally.shown())


class _RunBars(Progress):
    """The bars, and below them a line a worker."""

    lines: tuple[str, ...] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield from (Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in self.lines)


def _line(status: WorkerStatus) -> str:
    """ "worker 3 on node7: 120 videos, 371 questions, 2.9/s, 21.4 GB"; or why there is no such thing."""
    name = f"  worker {status.number}" + (f" on {printable(status.host)}" if status.host else "")
    if status.state != "asking":
        return f"{name}: {status.state}"
    memory = "" if status.device_bytes is None else f", {status.device_bytes / 1e9:.1f} GB"
    return f"{name}: {status.videos} videos, {status.questions} questions, {status.rate:.2f}/s{memory}"


class RunProgress:
    """Shows the stages of a run and counts its results.

    Args:
        brief: stages are shown by the bar only, and leave no line.
    """

    def __init__(self, console: Console, *, brief: bool = False) -> None:
        self.console = console
        self.brief = brief
        self._progress = _RunBars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=4),  # a terminal of 80 columns has room for the rest
            MofNCompleteColumn(),
            _PaceColumn(),
            _TallyColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._asking: _Asking | None = None
        self._bar = self._progress.add_task("", total=None, visible=False, asking=None)

    @contextmanager
    def shown(self) -> Iterator[RunProgress]:
        with self._progress:
            yield self

    def stage(self, text: str) -> None:
        """Say what happens now."""
        if self.brief:
            self._progress.update(
                self._bar, description=printable(text), total=None, completed=0, visible=True, asking=None
            )
        else:
            self.console.print(Text(printable(text), style="dim"))

    def begin(self, total: int, *, waiting_s: Callable[[], float]) -> None:
        """So many questions are asked now.

        Args:
            waiting_s: for how many seconds the model has been waiting for videos.
        """
        self._asking = _Asking(waiting_s)
        self._progress.update(
            self._bar, description="asking", total=total, completed=0, visible=True, asking=self._asking
        )

    def workers(self, status: Sequence[WorkerStatus]) -> None:
        """A line a worker below the bar; the terminal has room for so many."""
        shown, room = list(status), max(self.console.height - 4, 1)
        more = f"  and {len(shown) - room} more" if len(shown) > room else ""
        self._progress.lines = (*map(_line, shown[:room]), *filter(None, [more]))

    def rendering(self, what: str, done: int, total: int) -> None:
        """Rendering of the mini edition's videos, or any other counted preparation."""
        self._progress.update(
            self._bar, description=printable(what), total=total, completed=done, visible=done < total
        )

    def result(
        self, result: Result, *, resumed: bool, outcome: Outcome, video: str, credit: float | None = None
    ) -> None:
        assert self._asking is not None  # begin comes first
        self._asking.tally.count(outcome, video, credit)
        self._asking.pace.count(resumed=resumed)
        if isinstance(result, Failure) and self._asking.tally.failed <= _FAILURES_SHOWN:
            said = f" {printable(str(result.key))} ({result.kind.value}): {printable(result.reason)}"
            self.console.print(Text.assemble(("failed", "yellow"), said))
        self._progress.update(self._bar, advance=1)


@contextmanager
def counting(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for work that is counted: call the yielded function with (what, done, total)."""
    progress = RunProgress(console)
    with progress.shown():
        yield progress.rendering
