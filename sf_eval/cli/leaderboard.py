"""`sf-eval leaderboard`: one table of all runs below directories, and the published ones."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="leaderboard", short_help="one table of all runs below directories, and published ones")
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["terminal", "markdown", "csv", "latex"]),
    default="terminal",
    show_default=True,
)
@click.option("--sort", metavar="BENCHMARK|model|frames", help="Default: measured, then reported.")
@click.option("--published/--no-published", default=True, help="Whether reported models are in it.")
@click.option("--output", type=click.Path(path_type=Path), help="A file instead of the screen.")
def command(
    folders: tuple[Path, ...], form: str, sort: str | None, published: bool, output: Path | None
) -> int:
    """Tabulate every run below FOLDERS beside the published numbers; measured and reported are told apart.

    \b
    sf-eval leaderboard results/runs --sort videomme
    sf-eval leaderboard results/runs --format latex --output table.tex

    Exit code 1 where a run could not be read; the others are shown all the same.
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    from rich.console import Console

    from sf_eval.core import files
    from sf_eval.core.tables import print_table, to_markdown
    from sf_eval.report.boards import board, board_csv, board_latex, board_table

    found = board(folders, sort=sort, published=published)
    for why in found.skipped:
        click.echo(f"left out: {why}", err=True)
    if form == "terminal" and output is None:
        print_table(Console(), board_table(found))
        return 1 if found.skipped else 0
    made = {"csv": board_csv, "latex": board_latex}.get(form)
    text = to_markdown(board_table(found)) if made is None else made(found)
    if output is None:
        click.echo(text, nl=False)
    else:
        files.write_text(output, text)
    return 1 if found.skipped else 0
