"""`sf-eval doctor`: would this run work? Checked before hours are spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sf_eval.cli.number_types import Number


@click.command(name="doctor", short_help="check data, disk, memory and libraries before a long run")
@click.option("--tasks", required=True, metavar="A,B|all", help="Benchmarks; see `sf-eval ls tasks`.")
@click.option("--data", default="hub", show_default=True, help="'hub', 'mini', or a directory.")
@click.option("--data-revision", help="Commit, branch or tag of the datasets on the Hub.")
@click.option(
    "--model", help="Decode the frames that this model is shown; check that its weights fit the device."
)
@click.option("--device", default="auto", show_default=True)
@click.option("--full", is_flag=True, help="Decode every frame, compare digests instead of sizes.")
@click.option(
    "--decoders", type=click.IntRange(0, 64), help="Processes that decode at once. Default: as many as cores."
)
@click.option(
    "--workers",
    type=click.IntRange(1, 4096),
    metavar="N",
    help="Ask each of N workers, as a run has them, what it sees; name the machine that differs.",
)
@click.option(
    "--ray-address", metavar="ADDRESS|auto", help="The workers' Ray cluster. Default: this machine."
)
@click.option("--decode-timeout", type=Number(min=0.1), default=600.0, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), default=Path("results/runs"), show_default=True)
def command(**options: Any) -> int:
    """Check annotations, videos, subtitles, archives, disk, memory and libraries; name every bad file.

    Without --model the first, middle and last frame of every video are decoded. Videos are not downloaded.
    Exits with 1 if a run would fail or lose questions, or if there are no videos to check yet.
    """
    from rich.console import Console

    from sf_eval.benchmarks import catalog
    from sf_eval.cli.actions.progress import counting
    from sf_eval.core.cores import usable_cores
    from sf_eval.data import doctor
    from sf_eval.data.source import parse_source
    from sf_eval.report.doctor_report import show

    benchmarks = catalog.resolve_tasks(options["tasks"])
    source = parse_source(options["data"], options["data_revision"])
    rule = _rule(options["model"])
    # Nothing else works here, so each core may have one.
    decoders = min(usable_cores(), 8) if options["decoders"] is None else options["decoders"]
    console = Console()
    results = [doctor.check_libraries(), doctor.check_disk(options["output"])]
    if options["model"]:
        results.append(_check_memory(options["model"], options["device"]))
    with counting(console) as progress:
        for benchmark in benchmarks:
            results += doctor.check_benchmark(
                benchmark,
                source,
                full=options["full"],
                rule=rule,
                timeout_s=options["decode_timeout"],
                decoders=decoders,
                progress=progress,
            )
    if download := doctor.check_download(benchmarks, source):
        results.append(download)
    if options["workers"] or options["ray_address"]:
        results += _survey(options, [benchmark.name for benchmark in benchmarks], source)
    show(results, source.label, console)
    return 1 if doctor.would_fail(results) else 0


def _survey(options: dict[str, Any], tasks: list[str], source: Any) -> Any:
    from sf_eval.core.cards import card_for
    from sf_eval.harness.distributed.survey import Wanted, survey
    from sf_eval.harness.settings import RunSettings

    card = card_for(options["model"]) if options["model"] else None
    asked = RunSettings(
        model=options["model"] or "",
        tasks=options["tasks"],
        data=options["data"],
        device=options["device"],
        workers=options["workers"],
        ray_address=options["ray_address"],
    )
    wanted = Wanted(tuple(tasks), source, card, options["device"], options["decode_timeout"])
    return survey(asked, wanted)


def _rule(model: str | None) -> Any:
    from sf_eval.core.cards import card_for

    if model is None:
        return None
    from sf_eval.inference.families import check_card, rule_of

    card = card_for(model)
    check_card(card)
    return rule_of(card)


def _check_memory(model: str, device_name: str) -> Any:
    """The forecast of a run, in half precision or on a CPU in float32, against the device's memory."""
    from sf_eval.core.cards import card_for
    from sf_eval.core.tables import scaled
    from sf_eval.data.doctor import CheckResult
    from sf_eval.harness.batching import fitting_batch_size, foreseen
    from sf_eval.inference.device import resolve_device, total_memory
    from sf_eval.inference.families import size_of

    device, card = resolve_device(device_name), card_for(model)
    size, width, have = size_of(card), 4 if device.type == "cpu" else 2, total_memory(device)
    if size.parameters is None:
        return CheckResult("memory", model, "ok", "its weights are not on this machine")
    needed = size.parameters * width
    detail = f"weights {scaled(needed, 'B')}"
    batch_size = fitting_batch_size(size, card, device, width)
    foresight = foreseen(size, card, batch_size or 1, width, device.type)
    if batch_size is None or foresight is None:
        detail += (
            f" of {scaled(have, 'B')} on {device}; keys, values and activations come on top (no closed form)"
        )
    else:
        needed = foresight.peak
        detail += (
            f", at most {scaled(needed, 'B')} of {scaled(have, 'B')} on {device} in batches of {batch_size}"
        )
        if size.largest_video is not None:
            height, across = size.largest_video.coded
            detail += f", {size.largest_video.frames} frames of {across} x {height}"
    return CheckResult("memory", model, "ok" if needed < have else "failure", detail)
