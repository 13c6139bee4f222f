"""`sf-eval data fetch`: download and unpack benchmark data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sf_eval.benchmarks import Benchmark


@click.group(name="data", short_help="download and unpack benchmark data")
def command() -> None:
    """Download and unpack benchmark data."""


@command.command(name="fetch")
@click.option("--tasks", required=True, metavar="A,B|all", help="Benchmarks; see `sf-eval ls tasks`.")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    help="Put each benchmark into its folder in here, for `--data DIR`. Default: the cache that "
    "`--data hub` uses.",
)
@click.option(
    "--data-revision",
    "--revision",
    "revision",
    help="Branch, tag or commit of the dataset (of one dataset only).",
)
@click.option(
    "--workers", type=click.IntRange(1, 32), default=4, show_default=True, help="Downloads at a time."
)
@click.option("--annotations-only", is_flag=True, help="Leave the videos.")
@click.option("--keep-archives", is_flag=True, help="Keep the archives beside what was in them.")
def fetch_command(
    tasks: str,
    to: Path | None,
    revision: str | None,
    workers: int,
    annotations_only: bool,
    keep_archives: bool,
) -> None:
    """Download annotations and media of benchmarks from the Hub and unpack them.

    Interrupted, it goes on where it ended when it is run again. Needs no network for what is there already.

    \b
    sf-eval data fetch --tasks videomme
    sf-eval data fetch --tasks videomme,mlvu --to /data
    sf-eval run --tasks videomme,mlvu --data /data
    """
    from sf_eval.benchmarks import catalog
    from sf_eval.core.errors import DataError, UsageError
    from sf_eval.core.text import printable

    together: dict[str, list[Benchmark]] = {}
    for benchmark in catalog.resolve_tasks(tasks):
        together.setdefault(benchmark.hub_id, []).append(benchmark)
    if revision and len(together) > 1:
        raise UsageError(
            f"--revision {revision} cannot be meant for {len(together)} datasets.",
            hint="Fetch one dataset at a time.",
        )
    failed = []
    for dataset, benchmarks in together.items():
        try:
            _fetch(benchmarks, to, revision, workers, annotations_only, keep_archives)
        except DataError as error:
            if len(together) == 1:
                raise
            click.echo(printable(f"sf-eval: {dataset}: {error}"), err=True)
            failed.append(dataset)
        except KeyboardInterrupt:
            click.echo("Stopped. Run the same command again to go on where this one ended.", err=True)
            raise
    if failed:
        raise DataError(
            f"{len(failed)} of {len(together)} datasets were not fetched: {', '.join(failed)}.",
            hint="The reasons stand above; run the same command again for the rest.",
        )


def _fetch(
    benchmarks: list[Benchmark],
    to: Path | None,
    revision: str | None,
    workers: int,
    annotations_only: bool,
    keep_archives: bool,
) -> None:
    from sf_eval.data.hub import repository as hub
    from sf_eval.data.hub.progress import TerminalReporter, human_size

    for terms in dict.fromkeys(benchmark.licence for benchmark in benchmarks):
        click.echo(f"Terms of {benchmarks[0].hub_id}: {terms}.", err=True)
    with TerminalReporter() as reporter:
        fetched = hub.fetch_to(
            benchmarks,
            to,
            revision,
            reporter=reporter,
            workers=workers,
            annotations_only=annotations_only,
            keep_archives=keep_archives,
        )
    amount = f"{human_size(fetched.downloaded)} downloaded" if fetched.downloaded else "already complete"
    click.echo(f"{benchmarks[0].hub_id} at {fetched.commit}: {amount}, in {fetched.root}")
    for note in sorted({benchmark.layout.note for benchmark in benchmarks} - {""}):
        click.echo(f"Note: {note}")
