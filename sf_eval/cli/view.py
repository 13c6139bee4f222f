"""`sf-eval view`: a page of a run or a comparison."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(name="view", short_help="a page that shows what was shown, and what was said")
@click.argument("folder", metavar="RUN|COMPARISON", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="Default: view/ in the folder itself.")
@click.option("--no-frames", is_flag=True, help="Leave the videos' frames out.")
@click.option(
    "--budget", type=click.IntRange(min=1), default=400, show_default=True, help="Most MB of frames."
)
@click.option("--data", help="As of `sf-eval run`, where the run's own data was moved.")
@click.option("--serve", is_flag=True, help="Serve it on 127.0.0.1 until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of --serve; default: a free one.")
def command(
    folder: Path,
    output: Path | None,
    no_frames: bool,
    budget: int,
    data: str | None,
    serve: bool,
    port: int,
) -> int:
    """Make a page that opens in a browser, offline: every question, the frames shown, what each model said.

    \b
    sf-eval view results/runs/20260101T120000Z-comparison     all runs of a comparison side by side
    sf-eval view RUN --no-frames                              without pictures: small, and needs no videos
    sf-eval look RUN --brief && sf-eval view RUN              with what the slow path looked at
    """
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    from sf_eval.cli.actions.view import view_and_report

    return view_and_report(
        folder,
        output,
        with_frames=not no_frames,
        budget=budget * 1_000_000,
        data=data,
        serve=serve,
        port=port,
    )
