"""`sf-eval compare`: runs that exist, and lmms-eval's logs of other models, against each other."""

from __future__ import annotations

from pathlib import Path

import click

from sf_eval.cli.number_types import Number


@click.command(name="compare", short_help="is one run better than others? from runs that exist")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder for comparison.json, .md, .csv and .svg; without it only the screen.",
)
@click.option(
    "--gate",
    metavar="NAME>=POINTS[,...]",
    help="Exit with 1 unless the first run's differences are so: videomme>=-1.0,mean>=0.",
)
@click.option(
    "--gate-by",
    type=click.Choice(["estimate", "low", "high"]),
    default="estimate",
    show_default=True,
    help="What must be above the bound: the difference, or an end of its 95% interval.",
)
@click.option(
    "--tell",
    type=Number(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Points that one wants to be able to tell; fewer questions are too few.",
)
@click.option("--tables", "--verbose", "tables", is_flag=True, help="All tables on the screen.")
def command(
    runs: tuple[Path, ...], output: Path | None, gate: str | None, gate_by: str, tell: float, tables: bool
) -> int:
    """Compare the first of RUNS with each of the others, question by question.

    RUNS are folders that `sf-eval run` made at any time on any machine, folders of comparisons (their runs),
    and sample logs of lmms-eval (a folder or a file), on our tasks or its own of the same benchmarks.

    \b
    sf-eval compare results/runs/A results/runs/B
    sf-eval compare A logs/qwen2_5_vl --output A-against-qwen
    sf-eval compare NEW OLD --gate "videomme>=-1.0,mean>=0"        for CI

    Exit code 0, or 1 where the gate is closed.
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    from sf_eval.cli.actions.compare_runs import compare_runs

    return compare_runs(runs, output=output, gate=gate, gate_by=gate_by, tell=tell, all_tables=tables)
