"""What `sf-eval attach base` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from sf_eval.cli.actions.training_progress import TrainingProgress, training_into
from sf_eval.core.tables import Table, print_table
from sf_eval.training.mini_qwen.recipe import BUDGETS
from sf_eval.training.mini_qwen.training import Scores, train


def train_base(
    *,
    output: Path,
    seed: int,
    budget: str,
    video_steps: int | None,
    temporal_stride: int,
    tower_of: Path | None,
    threads: int,
    command: Sequence[str],
) -> int:
    """Train, then say what was written and how well it does on held-out videos of its own kind.

    Raises:
        OutputError: the folder cannot be written, or holds another training.
        DataError: `tower_of` has no tower of the same seed and budget.
    """
    console = Console()
    torch.set_num_threads(threads)
    chosen = BUDGETS[budget]
    if video_steps is not None:
        chosen = replace(chosen, video_steps=video_steps)
    progress = TrainingProgress(console)
    with training_into(output, progress):
        folder, scores = train(
            output,
            chosen,
            seed=seed,
            command=command,
            watcher=progress,
            temporal_stride=temporal_stride,
            tower_of=tower_of,
        )
    print_table(console, _table(scores))
    console.print(f"mini-qwen: {folder}", highlight=False, markup=False, soft_wrap=True)
    return 0


def _table(scores: Scores) -> Table:
    kinds = tuple(next(iter(scores.values())))
    return Table(
        title="Percent right a kind of question, on held-out videos in the training's wordings",
        columns=("decoder", *kinds),
        rows=tuple((state, *(f"{found[kind]:.0f}" for kind in kinds)) for state, found in scores.items()),
        numeric=frozenset(kinds),
    )
