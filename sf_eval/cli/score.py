"""`sf-eval score`: judge the answers of finished or stopped runs anew."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="score", short_help="judge a run's answers anew, without its weights and videos")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--scoring",
    type=click.Choice(["sf-eval", "published", "both"]),
    help="How outputs are read; default: as the run was asked.",
)
@click.option("--tables", "--verbose", "tables", is_flag=True, help="All tables on the screen.")
def command(runs: tuple[Path, ...], scoring: str | None, tables: bool) -> int:
    """Write the results of RUNS (folders that `sf-eval run` made) anew from their journals.

    \b
    sf-eval score results/runs/20260101T120000Z-mini            after a change of the scorer
    sf-eval score RUN --scoring both                            the published scorers' view beside ours

    Needs no weights, no GPU, no videos and no annotations. A run that was killed is recorded as far as it
    came.
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    from sf_eval.cli.actions.score import score_and_report

    return score_and_report(runs, scoring, all_tables=tables)  # type: ignore[arg-type]
