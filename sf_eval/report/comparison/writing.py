"""The report of a comparison: what it writes above its runs, and what it shows."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from sf_eval.core import files
from sf_eval.core.tables import print_table
from sf_eval.report.comparison import plot as comparison_plot
from sf_eval.report.comparison import tables as comparison_tables
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


def show(record: ComparisonRecord, folder: Path, console: Console) -> None:
    """The tables on the terminal, then where everything is. Each run's own tables are in its folder."""
    tables = [
        comparison_tables.score_table(record),
        comparison_tables.gain_table(record),
        comparison_tables.kind_table(record),
        comparison_tables.cost_table(record),
    ]
    for table in tables:
        if table is not None:
            print_table(console, table)
    names = (COMPARISON_JSON, COMPARISON_MD, COMPARISON_CSV, COMPARISON_SVG)
    written = (
        f"Written to {folder}: {', '.join(names)}, and each run to its own folder: "
        f"{', '.join(run.name for run in record.runs)}"
    )
    console.print(written, highlight=False, markup=False, soft_wrap=True)
