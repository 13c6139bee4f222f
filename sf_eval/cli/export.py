"""`sf-eval export`: a run in a format that others read."""

from __future__ import annotations

from pathlib import Path

import click

FORMATS = ("every-eval-ever", "hf-eval-results", "model-index", "inspect", "latex", "csv", "parquet")


@click.command(name="export", short_help="a run in a format that others read")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", "to", required=True, type=click.Choice(FORMATS), help="The format.")
@click.option("--output", type=click.Path(path_type=Path), help="Default: RUN/exports/FORMAT.")
def command(run: Path, to: str, output: Path | None) -> int:
    """Write RUN (a folder that `sf-eval run` made) in another format.

    \b
    sf-eval export RUN --to every-eval-ever     for the Every Eval Ever datastore; its validator passes
    sf-eval export RUN --to hf-eval-results     for a model's repository on the Hub; whole runs on real data
    sf-eval export RUN --to inspect             then: inspect view --log-dir RUN/exports/inspect

    Mini data is called so in every file, and so is a run that was stopped. No key and no network is needed.
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    from sf_eval.harness.finished import read_finished
    from sf_eval.report.export.exported import Exported
    from sf_eval.report.export.formats import export

    folder = output or run / "exports" / to
    for path in export(Exported(read_finished(run)), to, folder):
        click.echo(path)
    return 0
