"""`sf-eval verify [DIR ...]`: does this machine compute what the published code computes?

`sf-eval verify --engine`: does it answer the same with every gain of the engine on and off?
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sf_eval.cli.number_types import Number


@click.command(name="verify", short_help="compare this installation with recorded outputs")
@click.argument("directories", nargs=-1, metavar="[DIR ...]", type=click.Path(path_type=Path))
@click.option(
    "--engine", is_flag=True, help="Compare the engine's answers with its gains on and off instead."
)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Default: float32; with --engine float32 and bfloat16, on a GPU float16 too.",
)
@click.option(
    "--attn", type=click.Choice(["sdpa", "eager", "flash_attention_2"]), default="sdpa", show_default=True
)
@click.option("--tolerance", type=Number(min=0), help="Default: 1e-4 in float32, looser in half.")
@click.option("--all", "everything", is_flag=True, help="With --engine: all mini questions, not a part.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="With --engine: a JSON file to write."
)
def command(
    directories: tuple[Path, ...],
    engine: bool,
    device: str,
    dtype: str | None,
    attn: str,
    tolerance: float | None,
    everything: bool,
    output: Path | None,
) -> int:
    """Compare with recorded outputs of the published code; exit with 1 beyond the tolerance.

    DIR holds recorded model cases (one or many), or recorded prompts, scores, indices and preprocessing.
    Without DIR: the cases that ship with sf-eval.

    With --engine: ask the mini questions with sharing, seeking, decoders and batches on and off; exit with 1
    if an answer differs in float32, or a question fails.
    """
    from sf_eval.core.errors import UsageError

    if engine:
        if directories or tolerance is not None:
            raise UsageError(
                "--engine compares the engine with itself: it takes no DIR and no --tolerance.",
                hint="Leave them out, or leave out --engine.",
            )
        return _engine(device, dtype, attn, everything=everything, output=output)
    if everything or output is not None:
        raise UsageError("--all and --output belong to --engine.", hint="Add --engine, or leave them out.")
    return _recorded(directories, device, dtype or "float32", attn, tolerance)


def _engine(device: str, dtype: str | None, attn: str, *, everything: bool, output: Path | None) -> int:
    from rich.console import Console

    from sf_eval.core import files
    from sf_eval.core.tables import print_table
    from sf_eval.harness.logs import quiet_imports
    from sf_eval.inference.device import resolve_device
    from sf_eval.verifying import engine as verification

    if output is not None:
        files.check_writable(output)
    quiet_imports()
    where, console = resolve_device(device), Console()
    asked = (
        verification.mini_questions(videos=None, tasks=verification.ALL)
        if everything
        else (verification.mini_questions())
    )
    with console.status("Asking") as status:
        record = verification.verify_engine(
            asked,
            device=where,
            dtypes=verification.dtypes_of(where) if dtype is None else (dtype,),
            attn=attn,
            combinations=(*verification.COMBINATIONS, verification.ON_DEVICE),
            command=("sf-eval", *sys.argv[1:]),
            tell=status.update,
        )
    print_table(console, verification.engine_table(record))
    if output is not None:
        files.write_json(output, record.model_dump(mode="json"))
        console.print(f"Written: {output}", highlight=False)
    said = verification.conclusion(record)
    console.print(said if record.passed else f"[red]{said}[/red]")
    return 0 if record.passed else 1


def _recorded(
    directories: tuple[Path, ...], device: str, dtype: str, attn: str, tolerance: float | None
) -> int:
    from rich.console import Console

    from sf_eval.core.errors import UsageError
    from sf_eval.core.tables import print_table
    from sf_eval.inference.device import DTYPES, resolve_device
    from sf_eval.verifying import tables as verification
    from sf_eval.verifying.model import run_recorded_cases

    for directory in directories:
        if not directory.is_dir():
            raise UsageError(f"{directory} is not a directory.", hint="Give a directory of recorded cases.")
    models, protocols = verification.split_directories(directories or verification.default_directories())
    console, passed = Console(), True
    if models:
        where = resolve_device(device)
        results = run_recorded_cases(models, where, DTYPES[dtype], attn, tolerance)
        print_table(console, verification.model_table(results, f"{where}, {dtype}, {attn}"))
        passed = all(result.passed for result in results)
    files = [(each, result) for each in protocols for result in verification.verify_protocol_directory(each)]
    if files:
        print_table(console, verification.protocol_table(files))
        passed = passed and all(result.passed for _, result in files)
    console.print("Everything agrees." if passed else "[red]This installation differs.[/red]")
    return 0 if passed else 1
