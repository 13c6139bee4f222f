"""What `sf-eval score` does, once its options are read. Kept out of score.py as `_run` is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sf_eval.cli.actions.judge import judge_and_record
from sf_eval.cli.actions.progress import RunProgress
from sf_eval.cli.actions.run import report_and_replay
from sf_eval.core.errors import UsageError
from sf_eval.harness import output_dir
from sf_eval.harness.judged.judge import needs_judge
from sf_eval.harness.judged.settings import JudgeSettings
from sf_eval.harness.recording import SAMPLES
from sf_eval.harness.rescoring import read_run, rescore
from sf_eval.harness.settings import Scoring
from sf_eval.report.run_report import show
from sf_eval.scoring.outcome import Outcome


def score_and_report(
    folders: Sequence[Path],
    scoring: Scoring | None,
    *,
    judge: JudgeSettings | None = None,
    all_tables: bool = False,
) -> int:
    """Record each run anew; a judge is asked about those that need one.

    Returns:
        1 where the judge that was asked gave no verdict on some answer; else 0: what failed when it was asked
        is told, and was told before.

    Raises:
        UsageError: a judge is given, and no run needs one.
        StoppedError: Ctrl-C while answers were judged; what was judged is recorded and shown before.
    """
    console = Console()
    progress = RunProgress(console)
    # Refuse what is no run before anything is written.
    judged = {folder for folder in folders if needs_judge(read_run(folder))}
    if judge is not None:
        if not judged:
            raise UsageError(
                f"no answer in {', '.join(map(str, folders))} needs a judge.",
                hint="Leave --judge out: letters and words settle it.",
            )
        judge.check()
    in_vain = 0
    for folder in folders:
        with progress.shown(), output_dir.locked(folder):
            if judge is None or folder not in judged:
                output = rescore(read_run(folder), scoring=scoring)
            else:
                output = judge_and_record(folder, judge, progress, scoring=scoring)
                in_vain += sum(sample.outcome == Outcome.judge_error.value for sample in output.samples)
            report = report_and_replay(output, progress)
        show(output, report, console, all_tables=all_tables)
        if output.stopped is not None:
            raise output.stopped
    if in_vain:
        console.print(
            f"{in_vain} answers have no verdict ({SAMPLES} says why). Run the same command again to ask the "
            "judge about them.",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    return 1 if in_vain else 0
