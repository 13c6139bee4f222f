"""What `sf-eval mini when` does."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from sf_eval.cli.actions.attach_toy import read_seeds
from sf_eval.cli.actions.training_progress import TrainingProgress, training_into


def train_and_report(
    *, command: tuple[str, ...], output: Path, seeds: str, budget: str, steps: int | None, threads: int
) -> int:
    """Train every seed with both kinds of slow keys, keep each as it is done, print the table.

    Raises:
        UsageError: seeds that are no whole numbers.
        OutputError: the folder cannot be written, or holds another budget's trainings.
    """
    import torch

    from sf_eval.core.tables import print_table
    from sf_eval.training.when.learning import BUDGETS, run
    from sf_eval.training.when.report import WhenReport, finding, table

    numbers = read_seeds(seeds)
    chosen = BUDGETS[budget].with_steps(steps)
    torch.set_num_threads(threads)
    console = Console()
    progress = TrainingProgress(console)
    with training_into(output, progress):
        report = WhenReport.open(output, chosen, shlex.join(command))
        for rope, seed, found, loss in run(output / "work", chosen, numbers, progress, done=report.has):
            report = report.with_run(rope, seed, found, loss)
            report.save(output)
    print_table(console, table(report))
    console.print(finding(report), highlight=False, markup=False, soft_wrap=True)
    return 0
