"""`sf-eval attach`: learning with a slow path attached to another model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from sf_eval.cli.number_types import Number


@click.group(name="attach", short_help="a slow path on other people's models: train one, see what it learns")
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


@command.command(short_help="a tiny model of the Qwen2.5-VL class to attach to; minutes on a CPU")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The checkpoint goes to mini-qwen in it."
)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--budget", type=click.Choice(["full", "small"]), default="full", show_default=True)
@click.option(
    "--video-steps",
    type=click.IntRange(min=0),
    help="Of the decoder on pooled videos, default: the budget's; 0 leaves it as it begins.",
)
@click.option(
    "--temporal-stride",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Pairs of frames that are averaged into one in what the decoder learns from.",
)
@click.option(
    "--tower-of",
    type=click.Path(path_type=Path),
    help="--output of another such training by the same seed and budget: its tower is taken.",
)
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True)
def base(**options: Any) -> int:
    """Train a plain video model on videos of the mini editions' kind: it has no slow path yet.

    The same command again resumes. --budget small takes a minute, and learns nothing.

    \b
    sf-eval attach base --output out
    sf-eval attach train --model out/mini-qwen --data mini --output attached
    """
    from sf_eval.cli.actions.attach_base import train_base

    return train_base(command=("sf-eval", *sys.argv[1:]), **options)


@command.command(short_help="train a slow path on a model, the language model frozen or not")
@click.option("--model", required=True, help="Name of a model card, or a checkpoint directory.")
@click.option(
    "--data",
    required=True,
    help="A .parquet of questions (docs/attaching.md has its columns), a folder with questions.parquet, or "
    "mini: the mini editions' training split.",
)
@click.option(
    "--media", type=click.Path(path_type=Path, exists=True, file_okay=False), help="What its videos' paths "
    "begin at; default: the folder of the table.",
)  # fmt: skip
@click.option("--videos", type=click.IntRange(min=1), default=240, show_default=True, help="Of --data mini.")
@click.option(
    "--output", type=click.Path(path_type=Path), required=True, help="The attached model goes here."
)
@click.option(
    "--every-n-layers",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Layers 0, n, 2n ... read slow tokens.",
)
@click.option("--temporal-stride", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--spatial-stride", type=click.IntRange(min=1), default=2, show_default=True)
@click.option("--rope", type=click.Choice(["own", "published"]), default="own", show_default=True)
@click.option("--steps", type=click.IntRange(min=1), default=400, show_default=True)
@click.option("--questions", type=click.IntRange(min=1), default=16, show_default=True, help="A step.")
@click.option(
    "--learning-rate",
    type=Number(min=0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Of slow keys, values and gates; the warm-up gates have ten times it.",
)
@click.option(
    "--llm-learning-rate",
    type=Number(min=0),
    default=0.0,
    show_default=True,
    help="Of the language model; 0 leaves it frozen.",
)
@click.option(
    "--held-out",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="VIDEOS",
    help="Not trained on: their questions are asked before and after the training.",
)
@click.option("--examine-every", type=click.IntRange(min=1), metavar="STEPS", help="Ask them meanwhile too.")
@click.option("--save-every", type=click.IntRange(min=1), default=20, show_default=True, help="Steps.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--cache-gib",
    type=Number(min=0),
    default=2.0,
    show_default=True,
    help="Video tokens kept in memory.",
)
@click.option("--num-frames", type=click.IntRange(min=1), help="Frames shown; default: the model card's.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16"]), default="float32", show_default=True,
    help="Of base and slow path; in bfloat16 small steps of the slow path are lost.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads; default: torch's own.")
def train(**options: Any) -> int:
    """Attach a slow path to a model and train it on questions about videos.

    The same command again resumes; the same seed gives the same weights on the same machine. What it writes,
    --model of sf-eval run takes, and load_slow_path.

    \b
    sf-eval attach train --model qwen2.5-vl-7b --data questions.parquet --media videos --output attached
    sf-eval run --model attached --data DIR --tasks all
    """
    from sf_eval.cli.actions.attach_train import AttachOptions, train_attached
    from sf_eval.training.attached.trainer import Plan

    def taken(*names: str) -> dict[str, Any]:
        return {name: options.pop(name) for name in names}

    attaching = AttachOptions(**taken("every_n_layers", "temporal_stride", "spatial_stride", "rope"))
    plan = Plan(**taken("steps", "learning_rate", "llm_learning_rate", "seed", "save_every"))
    return train_attached(attaching=attaching, plan=plan, command=("sf-eval", *sys.argv[1:]), **options)
