"""`sf-eval attach`: learning with a slow path attached to another model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.group(name="attach", short_help="a slow path on other people's models: what it learns")
def command() -> None:
    """A slow path on other people's models (docs/attaching.md)."""


@command.command(short_help="what an attached slow path learns, on tokens drawn by rule; minutes on a CPU")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="Folder for attached_toy.json."
)
@click.option("--seeds", default="0,1", show_default=True, help="Whole numbers, comma separated.")
@click.option("--base-steps", type=click.IntRange(min=1), help="Of the plain model.")
@click.option("--steps", type=click.IntRange(min=1), help="Of what is trained on pooled videos.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def toy(**options: Any) -> int:
    """Train a tiny plain model, the pooled control, and slow paths attached to it with the LLM frozen.

    Videos are tokens drawn by rule. A needle cancels exactly where frames are averaged, so that a model of
    pooled tokens cannot know it; "when" asks whether it stood early or late. A seed that --output holds
    already, trained in the same way, is not trained again.

    \b
    sf-eval attach toy --output results/attach
    """
    from sf_eval.cli.actions.attach_toy import train_toys

    return train_toys(command=("sf-eval", *sys.argv[1:]), **options)
