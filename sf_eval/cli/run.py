"""`sf-eval run`: evaluate a model on benchmarks."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sf_eval.cli.conditions import condition_options, with_conditions
from sf_eval.cli.judge_options import judge_of, judge_options
from sf_eval.cli.number_types import Number, whole_number

if TYPE_CHECKING:
    from sf_eval.harness.settings import RunSettings

DEFAULT_MODEL = "slowfast-7b-64f"
_LOOKS = 20


def _counts(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    """Whole numbers from 1, comma separated, each once."""
    if text is None:
        return None
    counts = tuple(whole_number(part, param, ctx) for part in text.split(","))
    if len(set(counts)) < len(counts):
        raise click.BadParameter(f"{text!r} has a number twice.", ctx, param)
    return counts


def _batch_size(ctx: click.Context, param: click.Parameter, text: str) -> int | None:
    """A whole number from 1; None for "auto"."""
    return None if text == "auto" else whole_number(text, param, ctx, or_else="auto")


@click.command(name="run", short_help="evaluate a model on benchmarks")
@click.option(
    "--tasks",
    required=True,
    help="Benchmarks, comma separated, or 'all' (sf-eval ls tasks); -NAME is left out of them.",
)
@click.option(
    "--model",
    default=DEFAULT_MODEL,
    show_default=True,
    help="Model card, checkpoint directory or openai:NAME; several, comma separated, are compared.",
)
@click.option("--data", default="hub", show_default=True, help="'hub', 'mini', or a directory.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Default: results/runs/<time>-<model>, or <time>-comparison.",
)
@click.option("--limit", help="Documents per task: a number (20) or a fraction (0.1).")
@click.option(
    "--batch-size",
    callback=_batch_size,
    default="auto",
    show_default=True,
    help="Questions per batch: a number, or auto for what fits.",
)
@click.option(
    "--decoders",
    type=click.IntRange(0, 64),
    help="Processes that decode videos ahead; 0 decodes when asked. Default: what this machine can use.",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Answer with N models at once, a GPU each (docs/scaling.md). Needs Ray: sf-eval[ray].",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS|auto",
    help="The workers' Ray cluster. Default: this machine alone, in a Ray that ends with the run.",
)
@click.option(
    "--decode-workers",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="Decode in N Ray tasks, wherever there are cores, in place of the workers' own decoders.",
)
@click.option(
    "--share",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Decode, encode and prefill a video once for all its questions.",
)
@click.option(
    "--seek",
    type=click.Choice(["on", "off"]),
    default="on",
    show_default=True,
    help="Reach frames by seeking, bit for bit those of decoding in order.",
)
@click.option(
    "--resize",
    type=click.Choice(["decoder", "device"]),
    help="decoder (the default): Pillow, as published. device: the GPU, within 2 grey levels of it.",
)
@click.option(
    "--compile",
    "compiled",
    is_flag=True,
    help="Compile the vision tower and every decoder layer first: minutes, paid back by long runs.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
    help="auto: float32 on the CPU, the checkpoint's own on a GPU.",
)
@click.option(
    "--attn", type=click.Choice(["sdpa", "eager", "flash_attention_2"]), default="sdpa", show_default=True
)
@click.option(
    "--num-frames",
    metavar="N[,N...]",
    callback=_counts,
    help="Frames shown; default: the model card's. Several, comma separated: a run each.",
)
@click.option("--max-new-tokens", type=click.IntRange(min=1), help="Default: the card's, else the task's.")
@click.option(
    "--base-url", metavar="URL", help="Address of a model openai:NAME, e.g. http://localhost:8000/v1."
)
@judge_options
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--revision", help="Commit, branch or tag of the model on the Hub.")
@click.option("--data-revision", help="Commit, branch or tag of the datasets on the Hub.")
@click.option("--video-backend", default="pyav", show_default=True, help="pyav, decord or torchcodec.")
@click.option(
    "--decode-timeout",
    type=Number(min=0.1),
    default=600.0,
    show_default=True,
    help="Seconds a video.",
)
@click.option(
    "--clip",
    type=click.Choice(["whole", "cut"]),
    default="whole",
    show_default=True,
    help="Rows with start and end (MVBench): show the whole file, as published, or the cut.",
)
@click.option(
    "--scoring",
    type=click.Choice(["sf-eval", "published", "both"]),
    default="sf-eval",
    show_default=True,
    help="How outputs are read; 'published' is the authors' scorers without their random guesses.",
)
@condition_options
@click.option(
    "--attention",
    type=click.IntRange(min=1),
    is_flag=False,
    flag_value=_LOOKS,
    metavar="[N]",
    help="Afterwards look where the slow path looked in N questions (20): 64 MB at most, for sf-eval view.",
)
@click.option("--slow-path", type=click.Choice(["on", "off"]), help="Default: the card's.")
@click.option(
    "--published-decoding",
    is_flag=True,
    help="Response tokens do not see slow tokens, as in the published code.",
)
@click.option("--skip-missing", is_flag=True, help="Record questions of missing files instead of stopping.")
@click.option(
    "--fail-on-error",
    metavar="any|N|FRACTION",
    help="Stop once more samples than this have failed; accept as many. Default: run on, exit non-zero.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would be asked, and what it would cost.")
@click.option(
    "--tables",
    "--verbose",
    "tables",
    is_flag=True,
    help="All tables on the screen; without it the answer first, and the tables in the files.",
)
def command(dry_run: bool, tables: bool, **options: Any) -> int:
    """Evaluate a model on benchmarks; write results, leaderboard and FLOPs/latency report.

    \b
    sf-eval run --model mini --data mini --tasks videomme,mlvu      first look, no GPU
    sf-eval run --tasks videomme,mlvu                               released 64-frame checkpoint, Hub data
    sf-eval run --model DIR --data DIR --tasks all --batch-size 8   your own
    sf-eval run --model mini,mini-16f,mini-pooled --data mini --tasks all   the first against the others
    sf-eval run --model mini --data mini --tasks videomme --control blind,shuffled,choice   does it look?

    Several models or numbers of frames are run one after the other, each in a folder of its own, and
    compared: the first is held against each of the others.

    Exit code 0 only if everything asked for was evaluated (or --fail-on-error accepts what failed). The same
    command again resumes an unfinished run.
    """
    from sf_eval.harness.logs import quiet_imports

    _refuse_a_launcher()
    quiet_imports()
    models = _checked_names(options.pop("model"), options["tasks"])
    _check_base_url(options["base_url"], models)
    options["judge"] = judge_of(options["judge"], options.pop("judge_model"))
    frames = options.pop("num_frames") or (None,)
    conditions = {name: options.pop(name) for name in ("control", "control_only", "options", "options_seed")}
    settings = with_conditions(
        [_settings(model, count, dict(options)) for model in models for count in frames], **conditions
    )
    settings = _with_looks(settings)
    if dry_run:
        from sf_eval.cli.actions import compare, run

        return compare.dry_run_only(settings) if len(settings) > 1 else run.dry_run_only(settings[0])
    from sf_eval.cli.actions.ahead import decoding_ahead

    with decoding_ahead(settings[0]) as ahead:
        from sf_eval.cli.actions import compare, run  # import torch and transformers, for seconds

        if len(settings) > 1:
            return compare.compare_and_report(settings, ahead=ahead, all_tables=tables)
        return run.run_and_report(settings[0], ahead=ahead, all_tables=tables)


def _refuse_a_launcher() -> None:
    """Several copies of this command would write one folder; a machine's first process says so for all.

    Raises:
        UsageError: torchrun, accelerate or another launcher started several.
        SystemExit: the same, in the others.
    """
    from sf_eval.core.errors import UsageError

    processes = os.environ.get("WORLD_SIZE", "").strip()
    if "RANK" not in os.environ or not processes.isdecimal() or int(processes) < 2:
        return
    if os.environ.get("LOCAL_RANK", "0").strip() != "0":
        raise SystemExit(UsageError.exit_code)
    raise UsageError(
        f"a launcher (torchrun, accelerate) started {processes} processes of sf-eval run.",
        hint=f"Start it once, with --workers {processes}; launchers are for the lmms-eval command.",
    )


def _checked_names(models: str, tasks: str) -> list[str]:
    """Refuse a wrong name at once, not after the seconds that torch and lmms-eval take to import."""
    from sf_eval.benchmarks import catalog
    from sf_eval.core.cards import card_for
    from sf_eval.harness.settings import parse_models

    catalog.resolve_tasks(tasks)
    names = parse_models(models)
    for name in names:
        card_for(name)
    return names


def _with_looks(settings: Sequence[RunSettings]) -> list[RunSettings]:
    """Each run with `--attention` only where its model has something to look at; refused where none has."""
    from sf_eval.core.cards import card_for
    from sf_eval.core.errors import UsageError
    from sf_eval.harness.looking.refusing import refuse_to_look

    looking: list[RunSettings] = []
    refused: list[UsageError] = []
    for each in settings:
        card = each.card(card_for(each.model))
        try:
            if each.attention is not None:
                refuse_to_look(
                    card.name,
                    family=card.family,
                    slow_path=card.slow_path,
                    shows_video=each.conditions.shows_video,
                )
            looking.append(each)
        except UsageError as error:
            refused.append(error)
            looking.append(replace(each, attention=None))
    if refused and len(refused) == len(settings):
        raise refused[0]
    return looking


def _check_base_url(base_url: str | None, models: list[str]) -> None:
    from sf_eval.core.errors import UsageError
    from sf_eval.core.foreign_cards import ENDPOINT

    if base_url is not None and not any(model.startswith(ENDPOINT) for model in models):
        raise UsageError(
            "--base-url is for models that are asked by HTTP.", hint="Write --model openai:NAME."
        )


def _settings(model: str, num_frames: int | None, options: dict[str, Any]) -> Any:
    from sf_eval.harness.settings import RunSettings, parse_failure_policy, parse_limit

    limit, failures = options.pop("limit"), options.pop("fail_on_error")
    return RunSettings(
        model=model,
        num_frames=num_frames,
        limit=parse_limit(limit) if limit is not None else None,
        failures=parse_failure_policy(failures),
        decode_timeout_s=options.pop("decode_timeout"),
        share=options.pop("share") == "on",
        seek=options.pop("seek") == "on",
        command=("sf-eval", *sys.argv[1:]),
        **options,
    )
