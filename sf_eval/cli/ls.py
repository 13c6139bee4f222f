"""`sf-eval ls models|tasks`."""

from __future__ import annotations

import click


@click.command(name="ls", short_help="list models or tasks")
@click.argument("what", type=click.Choice(["models", "tasks"]))
def command(what: str) -> None:
    """List what there is: models (cards) or tasks (benchmarks)."""
    from rich.console import Console

    table = _models() if what == "models" else _tasks()
    Console().print(table)


def _models():  # type: ignore[no-untyped-def]
    from rich.table import Table

    from sf_eval.core.cards import card_names, load_card

    table = Table(title="Models (sf-eval run --model NAME, or a checkpoint directory)")
    for column in ("name", "title", "frames", "slow path", "weights"):
        table.add_column(column, overflow="fold")
    for name in card_names():
        card = load_card(name)
        weights = card.weights or "none released: profile only"
        table.add_row(name, card.title, str(card.num_frames), card.slow_path, weights)
    return table


def _tasks():  # type: ignore[no-untyped-def]
    from rich.table import Table

    from sf_eval.benchmarks import catalog

    table = Table(title="Tasks (sf-eval run --tasks A,B or all)")
    for column in ("name", "title", "dataset", "split", "questions"):
        table.add_column(column, overflow="fold")
    for name in catalog.benchmark_names():
        benchmark = catalog.get_benchmark(name)
        questions = benchmark.expected_questions
        table.add_row(
            name, benchmark.title, benchmark.hub_id, benchmark.split, str(questions) if questions else "?"
        )
    return table
