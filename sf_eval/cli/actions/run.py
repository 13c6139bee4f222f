"""What `sf-eval run` does, once its options are read. Kept out of run.py so that `--help` imports nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from sf_eval.cli.actions.ahead import Ahead
from sf_eval.cli.actions.judge import judge_and_record
from sf_eval.cli.actions.look import look_after_run
from sf_eval.cli.actions.progress import RunProgress
from sf_eval.core.errors import CheckpointError, DataError
from sf_eval.harness import output_dir
from sf_eval.harness.opening import opened
from sf_eval.harness.plan import EMBEDDED, RunPlan, make_plan
from sf_eval.harness.recording import SAMPLES, RunOutput
from sf_eval.harness.run import execute, interrupted
from sf_eval.harness.settings import FailurePolicy, RunSettings
from sf_eval.lmms.replay import FOLDER, import_ahead, replay
from sf_eval.report.run_report import Report, show, write
from sf_eval.video import ClipPool

Plan = TypeVar("Plan")


def run_and_report(settings: RunSettings, *, ahead: Ahead, all_tables: bool = False) -> int:
    """Plan, run, report. Returns 0 only if every asked question was answered.

    Args:
        ahead: what was begun while this module was imported.
        all_tables: on the screen; they are in the files anyway.
    """
    console = Console(stderr=False)
    progress = RunProgress(console)
    with progress.shown():
        plan = planned(
            lambda: make_plan(settings, progress=progress.rendering, opened=ahead.opened), settings
        )
        announce(plan, console)
        output, report = evaluate(plan, progress, ahead.pool)
    show(output, report, console, all_tables=all_tables)
    looked = 0
    if settings.attention is not None and output.stopped is None:
        looked = look_after_run(settings, plan.output, console)
    tell_of_page(plan.output, console)
    if output.stopped is not None:
        raise output.stopped
    return max(looked, exit_code(output, plan.settings.failures, console, again=plan.output))


def evaluate(plan: RunPlan, progress: RunProgress, ahead: ClipPool | None = None) -> tuple[RunOutput, Report]:
    """Run the plan in its own directory, write its report there and let lmms-eval replay it.

    Args:
        ahead: decodes already.

    Raises:
        InterruptedRunError: Ctrl-C before there was anything to report.
        ReplayDisagreementError: lmms-eval makes other numbers of the same answers.
    """
    try:
        with output_dir.locked(plan.output):
            import_ahead()
            output = execute(plan, progress, opening=partial(opened, ahead=ahead))
            if plan.settings.judge is not None and output.stopped is None:
                output = judge_and_record(plan.output, plan.settings.judge, progress, is_own=True)
            report = report_and_replay(output, progress)
    except KeyboardInterrupt:
        raise interrupted(plan) from None
    return output, report


def report_and_replay(output: RunOutput, progress: RunProgress) -> Report:
    """Write a recorded run's report into its folder and let lmms-eval replay it there.

    Raises:
        ReplayDisagreementError: lmms-eval makes other numbers of the same answers.
    """
    progress.stage("Writing the report")
    report = write(output)
    progress.stage("lmms-eval replays the answers")
    tasks = replay(output)
    progress.stage(
        f"lmms-eval's replay of the answers agrees in {len(tasks)} of {len(tasks)} tasks ({FOLDER}/)"
    )
    return report


def dry_run_only(settings: RunSettings) -> int:
    """Tell what a run would ask, cost and need; videos that are not here yet are not fetched."""
    from sf_eval.report.dry_run import show as show_dry_run

    console = Console()
    progress = RunProgress(console)
    looking = replace(settings, skip_missing=True, fetch_media=False)
    with progress.shown():
        plan = planned(lambda: make_plan(looking, progress=progress.rendering), settings)
    for note in plan.notes:
        console.print(note, highlight=False, markup=False)
    show_dry_run(plan, console)
    return 0


def announce(plan: RunPlan, console: Console) -> None:
    """Say where the run goes, and what the user should know before it begins."""
    for line in (f"Output: {plan.output}", *plan.notes):
        console.print(line, highlight=False, markup=False)


def tell_of_page(folder: Path, console: Console) -> None:
    """Say how to see the questions, the frames shown and the answers."""
    console.print(
        f"Question by question in a browser: sf-eval view {folder}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def planned(make: Callable[[], Plan], settings: RunSettings) -> Plan:
    """What `make` plans; where the Hub's data cannot be had, its error names the embedded data too."""
    try:
        return make()
    except (CheckpointError, DataError) as error:
        if settings.data == "hub":
            error.hint = f"{error.hint} {EMBEDDED}".strip()
        raise


def exit_code(output: RunOutput, policy: FailurePolicy, console: Console, *, again: Path) -> int:
    """Non-zero if anything failed, unless `--fail-on-error` accepts as many.

    Args:
        again: the `--output` with which the same command tries the failed ones again.
    """
    failed, planned = output.failed, output.planned
    if not failed:
        return 0
    where = SAMPLES if again == output.folder else str(output.folder / SAMPLES)
    accepted = policy.most is not None and not policy.exceeded(failed, planned)
    console.print(
        f"[red]{failed} of {planned} questions failed[/red]"
        f"{', which --fail-on-error accepts' if accepted else ''} ({escape(where)} says why). "
        f"Run the same command again with --output {escape(str(again))} to try them again.",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if accepted else 1
