"""`sf-eval mini`: train the embedded mini models, an example of how the slow path is trained."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sf_eval.training.recipe import BUDGETS, VARIANTS

_NAMES = ",".join(variant.name for variant in VARIANTS)


@click.group(name="mini", short_help="train the embedded mini models anew, or on")
def command() -> None:
    """Train the embedded mini models (docs/mini.md tells how, and what was found)."""


@command.command(short_help="from nothing to weights")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="One checkpoint directory a model goes here.",
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--budget", type=click.Choice(list(BUDGETS)), default="full", show_default=True)
@click.option("--models", default=_NAMES, show_default=True, help="Which of them, comma separated.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; default: one a core.")
def train(**options: Any) -> int:
    """Train from nothing: videos, tokenizer, tower, language stage, then each model by itself.

    \b
    sf-eval mini train --output out                     all three
    sf-eval mini train --output out --budget small      a minute or two: it runs, and learns nothing
    sf-eval run --model out/mini --data mini --tasks all    evaluates one of them

    The same command again resumes.
    """
    from sf_eval.cli.actions.mini import train_and_report

    return train_and_report(command=("sf-eval", *sys.argv[1:]), **options)


@command.command(short_help="teach the mini model to say when, with slow keys as published and turned")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="Folder for mini_when.json.")
@click.option("--seeds", default="0,1", show_default=True, help="Whole numbers, comma separated.")
@click.option("--budget", type=click.Choice(["full", "small"]), default="full", show_default=True)
@click.option("--steps", type=click.IntRange(min=1), help="Of each training, default: the budget's.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def when(**options: Any) -> int:
    """Train the shipped mini model on with questions that ask when a brief event was.

    Nothing that the videos show says when it was, only its place among the frames. Every seed is trained
    twice, alike but for `slow_rope` in config.json: "published" and "own". The same command again resumes.

    \b
    sf-eval mini when --output results/mini_when
    """
    from sf_eval.cli.actions.mini_when import train_and_report

    return train_and_report(command=("sf-eval", *sys.argv[1:]), **options)
