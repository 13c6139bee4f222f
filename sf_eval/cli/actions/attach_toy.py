"""What `sf-eval attach toy` does."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from sf_eval.core.errors import UsageError


def train_toys(
    *,
    command: tuple[str, ...],
    output: Path,
    seeds: str,
    base_steps: int | None,
    steps: int | None,
    threads: int,
) -> int:
    """Train each seed, keep each as it is done, print the table.

    Raises:
        UsageError: seeds that are no whole numbers.
        OutputError: the folder cannot be written, or holds toys that were trained otherwise.
    """
    import torch

    from sf_eval.core.tables import print_table
    from sf_eval.training.attached.report import ToyReport, toy_table
    from sf_eval.training.attached.toy import Budget, learn_toy

    numbers = read_seeds(seeds)
    default = Budget()
    budget = Budget(base_steps=base_steps or default.base_steps, steps=steps or default.steps)
    torch.set_num_threads(threads)
    report = ToyReport.open(output, budget, shlex.join(command))
    console = Console()
    with Console(stderr=True).status("learning") as status:
        for seed in numbers:
            if not report.has(seed):
                report = report.with_seed(seed, learn_toy(seed, budget, say=status.update))
                report.save(output)
    print_table(console, toy_table(report))
    return 0


def read_seeds(text: str) -> tuple[int, ...]:
    """The numbers of `--seeds`.

    Raises:
        UsageError: they are no whole numbers.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise UsageError(f"--seeds is {text!r}; it must be whole numbers, as in --seeds 0,1.")
    return tuple(dict.fromkeys(map(int, parts)))
