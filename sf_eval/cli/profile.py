"""`sf-eval profile`: what a model costs."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from sf_eval.cli.number_types import Number


def _whole_numbers(_context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    from sf_eval.core.errors import UsageError

    if not value:
        return ()
    numbers = [part.strip() for part in value.split(",")]
    if not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in numbers):
        flag = f"--{(parameter.name or '').replace('_', '-')}"
        raise UsageError(f"{flag} is {value!r}; it must be positive whole numbers, as in {flag} 16,32,64.")
    return tuple(dict.fromkeys(int(part) for part in numbers))


@click.command(
    name="profile",
    short_help="what a model costs: FLOPs, memory, latency, and how they grow",
    epilog="\b\nExamples:\n"
    "  sf-eval profile --model slowfast-7b-128f --against self-attention-16f\n"
    "  sf-eval profile --model slowfast-7b-128f --frames 16,64,128,512,1024 --unit mac\n"
    "  sf-eval profile --model slowfast-7b-64f --against qwen2.5-vl-7b --against llava-onevision-7b:32\n"
    "  sf-eval profile --model qwen2.5-vl-7b+slow --frames 16,64,128,256\n"
    "  sf-eval profile --model mini --measure --output out\n",
)
@click.option(
    "--model",
    required=True,
    help="Model card (sf-eval ls models) or checkpoint directory; or NAME+slow: qwen2.5-vl-7b, qwen3-vl-8b, "
    "llava-onevision-7b, internvl3-8b with an attached slow path (docs/attaching.md).",
)
@click.option(
    "--against",
    multiple=True,
    help="Compare with this card, directory, qwen2.5-vl-7b, qwen2.5-vl-7b-released (the resolution that its "
    "preprocessor_config.json allows) or llava-onevision-7b; NAME:FRAMES sets frames. "
    "May be given several times. Default: the model's own self-attention-only baseline.",
)
@click.option("--frames", callback=_whole_numbers, help="16,32,64 ...; default: the model's own.")
@click.option("--sampling-stride", type=click.IntRange(min=1), help="Fast path: keep every n-th frame.")
@click.option("--temporal-stride", type=click.IntRange(min=1), help="Fast path: average n frames.")
@click.option("--text-tokens", type=click.IntRange(min=1), default=100, show_default=True)
@click.option(
    "--text-before-video",
    type=click.IntRange(min=0),
    help="Of the text tokens; they ask no slow token under masksystem. Default: the chat markup's 14.",
)
@click.option("--new-tokens", type=click.IntRange(min=1), default=16, show_default=True)
@click.option("--batch-size", type=click.IntRange(min=1), default=1, show_default=True, help="Of the FLOPs.")
@click.option(
    "--causal",
    type=click.Choice(["halved", "full"]),
    default="halved",
    show_default=True,
    help="Causal self-attention: half of the square, or all of it.",
)
@click.option("--unit", type=click.Choice(["flop", "mac"]), default="flop", show_default=True)
@click.option(
    "--decode",
    type=click.Choice(["cached", "published", "without"]),
    help="Slow tokens in decoding: keys and values cached, projected again each step, or left out. "
    "Default: each model's own, cached unless its card says decode_slow_attention: false.",
)
@click.option("--no-trace", is_flag=True, help="Closed form only: do not run the module on meta.")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Folder for JSON, markdown, CSV, HTML, plots."
)
@click.option("--measure", is_flag=True, help="Also measure latency and memory on this machine.")
@click.option("--random-weights", is_flag=True, help="Measure the full size with random weights.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--dtype",
    type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
    default="auto",
    show_default=True,
)
@click.option(
    "--attn", type=click.Choice(["sdpa", "eager", "flash_attention_2"]), default="sdpa", show_default=True
)
@click.option(
    "--compile", "compiled", is_flag=True, help="Compile tower and every decoder layer before measuring."
)
@click.option("--batch-sizes", default="1", callback=_whole_numbers, show_default=True, help="To measure.")
@click.option("--iterations", type=click.IntRange(min=2), default=10, show_default=True, help="At least.")
@click.option("--seconds", type=Number(min=0), default=3.0, show_default=True, help="At least.")
@click.option("--warmup", type=click.IntRange(min=0), default=2, show_default=True, help="Iterations.")
@click.option("--video", type=click.Path(path_type=Path), help="Clip to measure with; default: one is made.")
def command(**flags: Any) -> None:
    """Count what a model costs, where, and how it grows; with --measure, time it on this machine.

    FLOPs are counted in closed form and by tracing the real module; no weights and no GPU are needed.
    """
    from dataclasses import replace

    from rich.console import Console

    from sf_eval.cli.actions.attached_profile import profile_attached
    from sf_eval.profiler.attached import is_attached_name
    from sf_eval.profiler.cost.closed_form import Convention, DecodeVariant, Unit
    from sf_eval.profiler.profile import Request, make_profile
    from sf_eval.profiler.rows import Question
    from sf_eval.report.profile.terminal import show

    console = Console()
    if flags["output"]:
        _make(flags["output"])  # before minutes of work, not after
    if is_attached_name(flags["model"]):
        profile_attached(flags, console)
        return
    request = Request(
        model=flags["model"],
        against=flags["against"],
        frames=flags["frames"],
        sampling_stride=flags["sampling_stride"],
        temporal_stride=flags["temporal_stride"],
        question=Question(
            text_tokens=flags["text_tokens"],
            new_tokens=flags["new_tokens"],
            batch_size=flags["batch_size"],
            text_before_video=_before_video(flags),
            convention=Convention(flags["causal"]),
            decode=DecodeVariant(flags["decode"]) if flags["decode"] else None,
        ),
        unit=Unit(flags["unit"]),
        trace=not flags["no_trace"],
        command=shlex.join(["sf-eval", *sys.argv[1:]]),
    )
    with Console(stderr=True).status("counting") as status:
        profile = make_profile(request, say=status.update)
        if flags["measure"]:
            measured = _measure(request, flags, status.update)
            profile = replace(profile, measured=measured)
    show(profile, console)
    if flags["output"]:
        _write(profile, flags["output"], console)


def _before_video(flags: dict[str, Any]) -> int | None:
    from sf_eval.core.errors import UsageError

    before: int | None = flags["text_before_video"]
    if before is not None and before > flags["text_tokens"]:
        raise UsageError(
            f"--text-before-video is {before}, of only {flags['text_tokens']} --text-tokens in all."
        )
    return before


def _make(folder: Path) -> None:
    from sf_eval.core.files import output_error

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error


def _measure(request: Any, flags: dict[str, Any], say: Any) -> dict[str, Any]:
    """FLOPs are counted before and apart: a counter's hooks would slow what is timed."""
    from sf_eval.profiler.measured.measure import Settings, measure

    settings = Settings(
        random_weights=flags["random_weights"],
        device=flags["device"],
        dtype=flags["dtype"],
        attn=flags["attn"],
        compiled=flags["compiled"],
        batch_sizes=flags["batch_sizes"],
        iterations=flags["iterations"],
        seconds=flags["seconds"],
        warmup=flags["warmup"],
        video=flags["video"],
    )
    return measure(request, settings, say=say).to_json()


def _write(profile: Any, folder: Path, console: Any) -> None:
    from sf_eval.report.profile.writing import write_report

    written = write_report(profile, folder)
    console.print(f"wrote {len(written)} files to {folder}", highlight=False, markup=False)
