"""`sf-eval look`: what the slow path looked at, question by question."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="look", short_help="where the slow path looked: attention over slow tokens")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--question",
    "questions",
    multiple=True,
    metavar="ID",
    help="question_id, or TASK/question_id; repeatable.",
)
@click.option("--brief", is_flag=True, help="Of a mini edition, only questions about a brief event.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="At most so many questions; default: 20, or as many as --question names.",
)
@click.option("--data", help="As of `sf-eval run`; default: where the run's own data lies.")
@click.option("--weights", help="A directory with the run's weights, where they were moved.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1 ...")
def command(
    run: Path,
    questions: tuple[str, ...],
    brief: bool,
    limit: int | None,
    data: str | None,
    weights: str | None,
    device: str,
) -> int:
    """Ask questions of RUN again, with its own model and settings, and write down where they looked.

    \b
    sf-eval look RUN --brief --limit 5            five questions of a mini edition about a brief event
    sf-eval look RUN --question videomme/001-4    one question

    The attention of the prompt and of the answer over slow tokens goes to RUN/look/, and from there into the
    page that `sf-eval view RUN` makes.
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    from sf_eval.cli.actions.look import look_and_report

    most = limit if limit is not None or questions else 20
    return look_and_report(run, questions, brief=brief, limit=most, data=data, weights=weights, device=device)
