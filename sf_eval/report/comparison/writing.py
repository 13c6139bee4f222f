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
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.record import ComparisonRecord

COMPARISON_JSON, COMPARISON_MD = "comparison.json", "comparison.md"
COMPARISON_CSV, COMPARISON_SVG = "comparison.csv", "comparison.svg"


def write(record: ComparisonRecord, folder: Path) -> None:
    """Write the comparison into `folder`, each file whole or not at all.

    Raises:
        OutputError: the directory cannot be written.
    """
    files.write_json(folder / COMPARISON_JSON, record.model_dump(mode="json"))
    files.write_text(folder / COMPARISON_MD, comparison_tables.markdown(record))
    files.write_text(folder / COMPARISON_CSV, comparison_tables.csv_text(record))
    files.write_text(folder / COMPARISON_SVG, comparison_plot.svg(record))


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
        f"{', '.join(run.name for run in record.runs)}."
    )
    console.print(details, highlight=False, markup=False, soft_wrap=True)


def _short(record: ComparisonRecord) -> tuple[Table | None, ...]:
    return comparison_tables.summary_table(record), comparison_tables.benchmark_table(record)


def _all(record: ComparisonRecord) -> tuple[Table | None, ...]:
    return (
        comparison_tables.score_table(record),
        comparison_tables.gain_table(record),
        comparison_tables.gain_by_benchmark_table(record),
        comparison_tables.kind_table(record),
        comparison_tables.cost_table(record),
    )
