"""The report on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from sf_eval.core.tables import print_table
from sf_eval.core.text import printable
from sf_eval.profiler.record import Profile
from sf_eval.report.profile.tables import all_tables


def show(profile: Profile, console: Console) -> None:
    """Print every table, then the findings."""
    for table in all_tables(profile):
        print_table(console, table)
    findings = Grid.grid(padding=(0, 1))
    for sentence in profile.words:
        findings.add_row("•", Text(printable(sentence)))
    console.print(findings)
