"""The report of a comparison: what it writes above its runs, and what it shows."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from sf_eval.core import files
from sf_eval.core.tables import Table, print_table
from sf_eval.core.text import printable
from sf_eval.report.comparison import plot as comparison_plot
from sf_eval.report.comparison import tables as comparison_tables
from sf_eval.report.comparison.answer import answer, costs
from sf_eval.report.comparison.budget import budget_svg
from sf_eval.report.comparison.community import community_table
from sf_eval.report.comparison.pair_tables import group_score_table, second_table
from sf_eval.report.comparison.record import ComparisonRecord

COMPARISON_JSON, COMPARISON_MD = "comparison.json", "comparison.md"
COMPARISON_CSV, COMPARISON_SVG = "comparison.csv", "comparison.svg"
BUDGET_SVG = "frames_at_budget.svg"


def write(record: ComparisonRecord, folder: Path) -> None:
    """Write the comparison into `folder`, each file whole or not at all.

    Raises:
        OutputError: the directory cannot be written.
    """
    files.write_json(folder / COMPARISON_JSON, record.model_dump(mode="json"))
    files.write_text(folder / COMPARISON_MD, comparison_tables.markdown(record))
    files.write_text(folder / COMPARISON_CSV, comparison_tables.csv_text(record))
    files.write_text(folder / COMPARISON_SVG, comparison_plot.svg(record))
    if (plot := budget_svg(record)) is not None:
        files.write_text(folder / BUDGET_SVG, plot)


def show_verdicts(
    record: ComparisonRecord, folder: Path | None, console: Console, *, all_tables: bool = False
) -> None:
    """The verdicts on runs that lay somewhere; then two short tables, and where the files are.

    Args:
        folder: where `write` put them; None where it did not.
    """
    for gain in record.gains:
        if gain.verdict is not None:
            console.print(Text(printable(gain.verdict.sentence)))
    for sentence in costs(record):
        console.print(Text(printable(sentence)))
    for unread in record.unread:
        said = (
            f"{unread.run}: {unread.lines} lines not counted, {unread.reason}: {', '.join(unread.examples)}"
        )
        console.print(Text(printable(said), style="yellow"))
    console.print()
    for table in _all(record) if all_tables else _short(record):
        if table is not None:
            print_table(console, table)
    if folder is not None:
        names = ", ".join((COMPARISON_MD, COMPARISON_SVG, COMPARISON_CSV, COMPARISON_JSON))
        console.print(f"Details in {folder}: {names}.", highlight=False, markup=False, soft_wrap=True)


def show(record: ComparisonRecord, folder: Path, console: Console, *, all_tables: bool = False) -> None:
    """The answer, two short tables, and where the details are. Each run's own tables are in its folder.

    Args:
        all_tables: every table of `comparison.md` instead of the two.
    """
    for sentence in answer(record):
        console.print(Text(printable(sentence)))
    console.print()
    for table in _all(record) if all_tables else _short(record):
        if table is not None:
            print_table(console, table)
    details = (
        f"Details in {folder}: {COMPARISON_MD} (gains by benchmark, kinds of questions, cost), "
        f"{COMPARISON_SVG}, {COMPARISON_CSV}, {COMPARISON_JSON}; each run in its own folder: "
        f"{', '.join(run.folder or run.name for run in record.runs)}."
    )
    console.print(details, highlight=False, markup=False, soft_wrap=True)


def _short(record: ComparisonRecord) -> tuple[Table | None, ...]:
    return comparison_tables.summary_table(record), comparison_tables.benchmark_table(record)


def _all(record: ComparisonRecord) -> tuple[Table | None, ...]:
    return (
        comparison_tables.score_table(record),
        comparison_tables.gain_table(record),
        comparison_tables.gain_by_benchmark_table(record),
        second_table(record),
        group_score_table(record),
        comparison_tables.kind_table(record),
        comparison_tables.cost_table(record),
        community_table(record),
    )
