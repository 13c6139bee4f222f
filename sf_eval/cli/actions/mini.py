"""What `sf-eval mini` does, once its options are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sf_eval.core.errors import UsageError, nearest
from sf_eval.core.tables import Table, print_table
from sf_eval.harness import output_dir
from sf_eval.harness.stopped import InterruptedRunError
from sf_eval.inference.device import resolve_device
from sf_eval.training.recipe import BUDGETS, VARIANTS, Variant
from sf_eval.training.training import Trained, train


class _TrainingProgress:
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
    def shown(self) -> Iterator[_TrainingProgress]:
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


def train_and_report(
    *,
    output: Path,
    seed: int,
    budget: str,
    models: str,
    device: str,
    threads: int | None,
    command: Sequence[str],
) -> int:
    """Train, then say what was written and how well it does on held-out videos of its own kind."""
    console = Console()
    variants = _variants(models)
    if threads is not None:
        torch.set_num_threads(threads)
    progress = _TrainingProgress(console)
    resolved = resolve_device(device)
    try:
        with output_dir.locked(output), progress.shown():
            trained = train(
                output, BUDGETS[budget], seed=seed, variants=variants, device=resolved,
                command=command, watcher=progress,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"interrupted; what was trained until then is kept in {output}.",
            hint="Run the same command again to go on.",
        ) from None
    _show(trained, console)
    return 0


def _variants(models: str) -> list[Variant]:
    known = {variant.name: variant for variant in VARIANTS}
    names = [name.strip() for name in models.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"--models: there is no mini model called {name!r}.", hint=nearest(name, known))
    return [known[name] for name in dict.fromkeys(names)]


def _show(trained: Trained, console: Console) -> None:
    kinds = list(next(iter(trained.held_out.values())))
    print_table(
        console,
        Table(
            title="Percent right a kind of question, on held-out videos in the training's wordings",
            columns=("model", *kinds),
            rows=tuple(
                (name, *(f"{scores[kind]:.0f}" for kind in kinds))
                for name, scores in trained.held_out.items()
            ),
            numeric=frozenset(kinds),
            notes=("Evaluate them with sf-eval run --data mini --tasks all --model DIR.",),
        ),
    )
    for name, folder in trained.folders.items():
        console.print(f"{name}: {folder}", highlight=False, markup=False, soft_wrap=True)
    console.print(f"Trained in {timedelta(seconds=round(trained.seconds))}.", highlight=False)
