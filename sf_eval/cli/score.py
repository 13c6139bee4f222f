"""`sf-eval score`: judge the answers of finished or stopped runs anew."""

from __future__ import annotations

from pathlib import Path

import click

from sf_eval.cli.judge_options import judge_of, judge_options


@click.command(name="score", short_help="judge a run's answers anew, without its weights and videos")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--scoring",
    type=click.Choice(["sf-eval", "published", "both"]),
    help="How outputs are read; default: as the run was asked.",
)
@judge_options
@click.option("--tables", "--verbose", "tables", is_flag=True, help="All tables on the screen.")
def command(
    runs: tuple[Path, ...], scoring: str | None, judge: str | None, judge_model: str | None, tables: bool
) -> int:
    """Write the results of RUNS (folders that `sf-eval run` made) anew from their journals.

    \b
    sf-eval score results/runs/20260101T120000Z-mini            after a change of the scorer
    sf-eval score RUN --scoring both                            the published scorers' view beside ours
    sf-eval score RUN --judge URL --judge-model NAME            open answers, by a model that is asked

    Needs no weights, no GPU, no videos and no annotations. A run that was killed is recorded as far as it
    came. What a judge said is kept in the run's folder, and it is never asked twice.
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    asked = judge_of(judge, judge_model)
    from sf_eval.cli.actions.score import score_and_report

    return score_and_report(runs, scoring, judge=asked, all_tables=tables)  # type: ignore[arg-type]
