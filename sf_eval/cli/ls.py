"""`sf-eval ls models|tasks`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sf_eval.benchmarks.document import Benchmark, Group
    from sf_eval.core.tables import Table


@click.command(name="ls", short_help="list models or tasks")
@click.argument("what", type=click.Choice(["models", "tasks"]))
@click.option("--all", "opened", is_flag=True, help="Tasks: also each part of a group (MVBench has 20).")
def command(what: str, opened: bool) -> None:
    """List what there is: models (cards) or tasks (benchmarks)."""
    from rich.console import Console

    from sf_eval.core.tables import print_table

    print_table(Console(), _models() if what == "models" else _tasks(opened=opened))


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


def _tasks(*, opened: bool) -> Table:
    """One line a benchmark; a group is one line unless it is `opened`, then also one line a subtask."""
    from sf_eval.benchmarks import catalog
    from sf_eval.core.tables import Table

    rows: dict[str, tuple[str, ...]] = {}
    for name in catalog.benchmark_names():
        benchmark = catalog.get_benchmark(name)
        if benchmark.group is not None:
            members = [catalog.get_benchmark(member) for member in catalog.members_of(benchmark.group.name)]
            title = _group_title(benchmark.group, len(members))
            rows[benchmark.group.name] = (benchmark.group.name, title, *_facts(members))
        if opened or benchmark.group is None:
            rows[name] = (name, benchmark.title, *_facts([benchmark]))
    groups = ", ".join(catalog.group_names())
    return Table(
        title="Tasks (sf-eval run --tasks A,B or all)",
        columns=("name", "title", "dataset", "split", "questions", "terms"),
        rows=tuple(rows.values()),
        numeric=frozenset({"questions"}),
        notes=(f"Each part of {groups}: sf-eval ls tasks --all.",) if groups and not opened else (),
    )


def _group_title(group: Group, here: int) -> str:
    """ "MVBench, 20 subtasks", or "TempCompass, 3 of 4 tasks" where not all are here."""
    from sf_eval.benchmarks import catalog

    total = catalog.parts_total(group.name)
    return f"{group.title}, {here if here == total else f'{here} of {total}'} {group.noun}"


def _facts(benchmarks: Sequence[Benchmark]) -> tuple[str, str, str, str]:
    """Dataset, split, number of questions and terms of what is shown in one line."""
    from sf_eval.core.tables import ABSENT

    counts = [benchmark.expected_questions for benchmark in benchmarks]
    known = [count for count in counts if count is not None]
    return (
        ", ".join(dict.fromkeys(benchmark.hub_id for benchmark in benchmarks)),
        ", ".join(dict.fromkeys(benchmark.split for benchmark in benchmarks)),
        str(sum(known)) if len(known) == len(counts) else ABSENT,
        "; ".join(dict.fromkeys(benchmark.licence for benchmark in benchmarks)),
    )
