"""`sf-eval verify [DIR ...]`: does this machine compute what the published code computes?"""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="verify", short_help="compare this installation with recorded outputs")
@click.argument("directories", nargs=-1, metavar="[DIR ...]", type=click.Path(path_type=Path))
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
@click.option(
    "--dtype", type=click.Choice(["float32", "bfloat16", "float16"]), default="float32", show_default=True
)
@click.option(
    "--attn", type=click.Choice(["sdpa", "eager", "flash_attention_2"]), default="sdpa", show_default=True
)
@click.option("--tolerance", type=click.FloatRange(min=0), help="Default: 1e-4 in float32, looser in half.")
def command(
    directories: tuple[Path, ...], device: str, dtype: str, attn: str, tolerance: float | None
) -> int:
    """Compare with recorded outputs of the published code; exit with 1 beyond the tolerance.

    DIR holds recorded model cases (one or many), or recorded prompts, scores, indices and preprocessing.
    Without DIR: the cases that ship with sf-eval.
    """
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
