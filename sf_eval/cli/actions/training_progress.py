"""A training's folder and its bar on the screen; now and then a line where there is no screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sf_eval.harness import output_dir
from sf_eval.harness.stopped import InterruptedRunError


class TrainingProgress:
    """One bar, for whatever is being counted."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=console,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=None, visible=False, loss="")
        self._what = ""

    @contextmanager
    def shown(self) -> Iterator[TrainingProgress]:
        with self._progress:
            yield self

    def stage(self, text: str) -> None:
        self._console.print(Text(text, style="dim"))

    def step(self, what: str, done: int, total: int, loss: float | None = None) -> None:
        if what != self._what:
            self._what = what
            self._progress.reset(self._bar, description=what, total=total, visible=True)
        shown = "" if loss is None else f"loss {loss:.3f}"
        self._progress.update(self._bar, completed=done, total=total, loss=shown)
        if not self._console.is_terminal and loss is not None and done % 100 == 0:
            self._console.print(f"{what} {done}/{total} {shown}", highlight=False, markup=False)


@contextmanager
def training_into(output: Path, progress: TrainingProgress) -> Iterator[None]:
    """The folder, locked, and the bar while a training goes on.

    Raises:
        InterruptedRunError: Ctrl-C; the training can go on from what is in the folder.
        OutputError: the folder cannot be written, or another process has it.
    """
    try:
        with output_dir.locked(output), progress.shown():
            yield
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted; what was trained until then is kept in {output}.",
            hint="Run the same command again to go on.",
        ) from None
