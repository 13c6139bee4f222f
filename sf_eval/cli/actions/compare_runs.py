"""What `sf-eval compare` does, once its options are read. Kept out of compare.py as `_run` is."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from sf_eval.core.errors import OutputError
from sf_eval.core.text import printable
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.gate import GateBy, check_names, gated, parse_gate
from sf_eval.report.comparison.reading import contestants
from sf_eval.report.comparison.writing import show_verdicts, write


def compare_runs(
    paths: Sequence[Path],
    *,
    output: Path | None,
    gate: str | None,
    gate_by: str,
    tell: float,
    all_tables: bool,
) -> int:
    """Read, compare, write and show. Returns 1 where the gate is closed."""
    conditions = [] if gate is None else parse_gate(gate)
    if output is not None:
        _refuse_taken(output)
    console = Console()
    record = build(contestants(paths), tell=tell, command=("sf-eval", *sys.argv[1:]))
    check_names(conditions, record)
    if output is not None:
        write(record, output)
    show_verdicts(record, output, console, all_tables=all_tables)
    if not conditions:
        return 0
    result = gated(conditions, record, GateBy(gate_by))
    console.print(Text(printable(result.sentence), style="green" if result.passed else "red"))
    return 0 if result.passed else 1


def _refuse_taken(output: Path) -> None:
    """A folder that holds anything but an earlier comparison is somebody's."""
    if output.is_file():
        raise OutputError(f"--output {output} is a file.", hint="Name a folder.")
    ours = {"comparison.json", "comparison.md", "comparison.csv", "comparison.svg", "frames_at_budget.svg"}
    if output.is_dir() and any(entry.name not in ours for entry in output.iterdir()):
        raise OutputError(f"--output {output} holds other files.", hint="Name a new folder.")
