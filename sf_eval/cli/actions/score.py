"""What `sf-eval score` does, once its options are read. Kept out of score.py as `_run` is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sf_eval.cli.actions.progress import RunProgress
from sf_eval.cli.actions.run import report_and_replay
from sf_eval.harness import output_dir
from sf_eval.harness.rescoring import read_run, rescore
from sf_eval.harness.settings import Scoring
from sf_eval.report.run_report import show


def score_and_report(folders: Sequence[Path], scoring: Scoring | None, *, all_tables: bool = False) -> int:
    """Record each run anew. Returns 0: what failed when it was asked is told, and was told before."""
    console = Console()
    progress = RunProgress(console)
    for folder in folders:
        read_run(folder)  # refuse what is no run before anything is written
    for folder in folders:
        with progress.shown(), output_dir.locked(folder):
            output = rescore(read_run(folder), scoring=scoring)
            report = report_and_replay(output, progress)
        show(output, report, console, all_tables=all_tables)
    return 0
