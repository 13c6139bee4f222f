"""Progress on the terminal: rate and remaining time, and one line a stage where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, Task, TextColumn
from rich.text import Text

from sf_eval.core.text import printable
from sf_eval.inference import Answer, Failure

_FAILURES_SHOWN = 5


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


class _PaceColumn(TextColumn):
    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        pace: _Pace | None = task.fields["pace"]
        return Text("" if pace is None else pace.shown(task.remaining or 0), style="progress.remaining")


class RunProgress:
    """Shows the stages of a run and counts its results.

    Args:
        brief: stages are shown by the bar only, and leave no line.
    """

    def __init__(self, console: Console, *, brief: bool = False) -> None:
        self.console = console
        self.brief = brief
        self.failed = 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _PaceColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._pace: _Pace | None = None
        self._bar = self._progress.add_task("", total=None, visible=False, pace=None)

    @contextmanager
    def shown(self) -> Iterator[RunProgress]:
        with self._progress:
            yield self

    def stage(self, text: str) -> None:
        """Say what happens now."""
        if self.brief:
            self._progress.update(
                self._bar, description=printable(text), total=None, completed=0, visible=True, pace=None
            )
        else:
            self.console.print(Text(printable(text), style="dim"))

    def begin(self, total: int) -> None:
        self._pace, self.failed = _Pace(), 0
        self._progress.update(
            self._bar, description="questions", total=total, completed=0, visible=True, pace=self._pace
        )

    def rendering(self, what: str, done: int, total: int) -> None:
        """Rendering of the mini edition's videos, or any other counted preparation."""
        self._progress.update(
            self._bar, description=printable(what), total=total, completed=done, visible=done < total
        )

    def result(self, result: Answer | Failure, *, resumed: bool) -> None:
        if isinstance(result, Failure):
            self.failed += 1
            if self.failed <= _FAILURES_SHOWN:
                said = f" {printable(str(result.key))} ({result.kind.value}): {printable(result.reason)}"
                self.console.print(Text.assemble(("failed", "yellow"), said))
        if self._pace is not None:
            self._pace.count(resumed=resumed)
        description = "questions" + (f" ({self.failed} failed)" if self.failed else "")
        self._progress.update(self._bar, advance=1, description=description)


@contextmanager
def counting(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for work that is counted: call the yielded function with (what, done, total)."""
    progress = RunProgress(console)
    with progress.shown():
        yield progress.rendering
