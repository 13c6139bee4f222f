"""What `sf-eval mini` does, once its options are read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
from rich.console import Console

from sf_eval.cli.actions.training_progress import TrainingProgress, training_into
from sf_eval.core.errors import UsageError, nearest
from sf_eval.core.tables import Table, print_table
from sf_eval.inference.device import resolve_device
from sf_eval.training.recipe import BUDGETS, VARIANTS, Variant
from sf_eval.training.training import Trained, train


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
    progress = TrainingProgress(console)
    resolved = resolve_device(device)
    with training_into(output, progress):
        trained = train(
            output, BUDGETS[budget], seed=seed, variants=variants, device=resolved,
            command=command, watcher=progress,
        )  # fmt: skip
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
