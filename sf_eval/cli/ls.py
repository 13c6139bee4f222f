"""`sf-eval ls models|tasks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sf_eval.core.tables import Table


@click.command(name="ls", short_help="list models or tasks")
@click.argument("what", type=click.Choice(["models", "tasks"]))
def command(what: str) -> None:
    """List what there is: models (cards) or tasks (benchmarks)."""
    from rich.console import Console

    from sf_eval.core.tables import print_table

    print_table(Console(), _models() if what == "models" else _tasks())


def _models() -> Table:
    from sf_eval.core.cards import card_names, load_card
    from sf_eval.core.tables import Table

    cards = [(name, load_card(name)) for name in card_names()]
    return Table(
        title="Models (sf-eval run --model NAME, or a checkpoint directory)",
        columns=("name", "title", "frames", "slow path", "weights"),
        rows=tuple(
            (
                name,
                card.title,
                str(card.num_frames),
                card.slow_path,
                card.weights or "none released: profile only",
            )
            for name, card in cards
        ),
        numeric=frozenset({"frames"}),
    )


def _tasks() -> Table:
    from sf_eval.benchmarks import catalog
    from sf_eval.core.tables import ABSENT, Table

    benchmarks = [(name, catalog.get_benchmark(name)) for name in catalog.benchmark_names()]
    return Table(
        title="Tasks (sf-eval run --tasks A,B or all)",
        columns=("name", "title", "dataset", "split", "questions"),
        rows=tuple(
            (
                name,
                benchmark.title,
                benchmark.hub_id,
                benchmark.split,
                str(benchmark.expected_questions) if benchmark.expected_questions else ABSENT,
            )
            for name, benchmark in benchmarks
        ),
        numeric=frozenset({"questions"}),
    )
