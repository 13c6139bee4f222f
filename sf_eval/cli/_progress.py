"""Progress on the terminal: rate and remaining time, and one line a stage where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from sf_eval.inference import Answer, Failure


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:.2f}/s", style="progress.data.speed")


class RunProgress:
    """Shows the stages of a run and counts its results."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.failed = 0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._bar = self._progress.add_task("", total=None, visible=False)

    @contextmanager
    def shown(self) -> Iterator[RunProgress]:
        with self._progress:
            yield self

    def stage(self, text: str) -> None:
        """Say what happens now."""
        self.console.print(f"[dim]{escape(text)}[/dim]", highlight=False)

    def begin(self, total: int) -> None:
        self._progress.update(self._bar, description="questions", total=total, completed=0, visible=True)

    def rendering(self, what: str, done: int, total: int) -> None:
        """Rendering of the mini edition's videos, or any other counted preparation."""
        self._progress.update(self._bar, description=what, total=total, completed=done, visible=done < total)

    def result(self, result: Answer | Failure, *, resumed: bool) -> None:
        if isinstance(result, Failure):
            self.failed += 1
            if self.failed <= 5:
                self.console.print(
                    f"[yellow]failed[/yellow] {result.key} ({result.kind.value}): {escape(result.reason)}"
                )
        description = "questions" + (f" ({self.failed} failed)" if self.failed else "")
        self._progress.update(self._bar, advance=1, description=description)


@contextmanager
def counting(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """A bar for work that is counted: call the yielded function with (what, done, total)."""
    progress = RunProgress(console)
    with progress.shown():
        yield progress.rendering
