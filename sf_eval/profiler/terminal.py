"""The report on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from sf_eval.profiler.record import Profile
from sf_eval.profiler.tables import Table, all_tables


def show(profile: Profile, console: Console) -> None:
    """Print every table, then the findings."""
    for table in all_tables(profile):
        console.print(rich_table(table))
        if table.note:
            console.print(Text(table.note, style="dim"))
        console.print()
    for sentence in profile.words:
        console.print(Text(f"• {sentence}"))


def rich_table(table: Table) -> RichTable:
    """Cells are data, so no markup is read from them."""
    shown = RichTable(title=Text(table.title), title_justify="left", header_style="bold")
    for index, column in enumerate(table.columns):
        text = index < table.text_columns
        shown.add_column(Text(column), justify="left" if text else "right", overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    return shown
