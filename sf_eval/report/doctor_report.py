"""What the doctor found, as a table and a list of bad files."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from sf_eval.core.tables import Table, print_table
from sf_eval.core.text import printable
from sf_eval.data.doctor import CheckResult

_COLOURS = {"ok": "green", "warning": "yellow", "failure": "red"}


def show(results: Sequence[CheckResult], data: str, console: Console) -> None:
    """One row a check; then every bad file with its reason."""
    table = Table(
        title=f"Doctor: {data}",
        columns=("subject", "check", "status", "found"),
        rows=tuple(
            (result.subject or "this machine", result.name, result.status, result.detail)
            for result in results
        ),
    )
    print_table(console, table)
    for result in results:
        for bad in result.bad_files:
            colour = _COLOURS[result.status]
            console.print(
                f"[{colour}]{escape(printable(bad.path))}[/{colour}]: {escape(printable(bad.reason))}",
                highlight=False,
                soft_wrap=True,
            )
    counts = {status: sum(result.status == status for result in results) for status in _COLOURS}
    console.print(
        f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failure']} failures.", highlight=False
    )
