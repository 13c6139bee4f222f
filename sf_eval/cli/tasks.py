"""`sf-eval tasks --path`: for lmms-eval's own `--include_path`."""

from __future__ import annotations

import click


@click.command(name="tasks", short_help="where the lmms-eval task files are")
@click.option("--path", is_flag=True, required=True, help="Print the folder with the task yaml files.")
def command(path: bool) -> None:  # noqa: ARG001 - the flag is required, there is nothing else to ask yet
    """Print the folder of our lmms-eval tasks.

    \b
    lmms-eval --model slowfast --model_args pretrained=DIR --tasks sf_videomme \\
        --include_path "$(sf-eval tasks --path)"
    """
    from sf_eval.core.paths import tasks_dir

    click.echo(tasks_dir())
