"""What `sf-eval run` does, once its options are read. Kept out of run.py so that `--help` imports nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from sf_eval.cli._progress import RunProgress
from sf_eval.core.errors import SfEvalError
from sf_eval.harness import output_dir
from sf_eval.harness.plan import EMBEDDED, RunPlan, fingerprint_of, make_plan
from sf_eval.harness.run import SAMPLES, RunOutput, execute, interrupted
from sf_eval.harness.settings import RunSettings
from sf_eval.report.run_report import Report, show, write

Plan = TypeVar("Plan")


def run_and_report(settings: RunSettings) -> int:
    """Plan, run, report. Returns 0 only if every asked question was answered."""
    console = Console(stderr=False)
    progress = RunProgress(console)
    with progress.shown():
        plan = planned(lambda: make_plan(settings, progress=progress.rendering), settings)
        console.print(f"Output: {plan.output}", highlight=False, markup=False)
        output, report = evaluate(plan, progress)
    show(output, report, console)
    if output.stopped is not None:
        raise output.stopped
    return exit_code(plan, failed_of(output), console, again=plan.output)


def evaluate(plan: RunPlan, progress: RunProgress) -> tuple[RunOutput, Report]:
    """Run the plan in its own directory and write its report there.

    Raises:
        InterruptedRunError: Ctrl-C before there was anything to report.
    """
    try:
        with output_dir.locked(plan.output):
            output = execute(plan, progress)
            progress.stage("Writing the report")
            report = write(output)
            output_dir.write_state(plan.output, fingerprint_of(plan), complete=all_answered(output))
    except KeyboardInterrupt:
        raise interrupted(plan) from None
    return output, report


def dry_run_only(settings: RunSettings) -> int:
    """Tell what a run would ask, cost and need; videos that are not here yet are not fetched."""
    from sf_eval.report.dry_run import show as show_dry_run

    console = Console()
    progress = RunProgress(console)
    looking = replace(settings, skip_missing=True, fetch_media=False)
    with progress.shown():
        plan = planned(lambda: make_plan(looking, progress=progress.rendering), settings)
    show_dry_run(plan, console)
    return 0


def planned(make: Callable[[], Plan], settings: RunSettings) -> Plan:
    """What `make` plans; where the Hub's data cannot be had, its error names the embedded data too."""
    try:
        return make()
    except SfEvalError as error:
        if settings.data == "hub" and error.exit_code == 2 and type(error).__name__ == "DataError":
            error.hint = f"{error.hint} {EMBEDDED}".strip()
        raise


def all_answered(output: RunOutput) -> bool:
    return output.stopped is None and not failed_of(output)


def failed_of(output: RunOutput) -> int:
    return sum(sum(task.micro.failures.values()) for task in output.record.tasks)


def exit_code(plan: RunPlan, failed: int, console: Console, *, again: Path) -> int:
    """Non-zero if anything failed, unless `--fail-on-error` accepts as many.

    Args:
        again: the `--output` with which the same command tries the failed ones again.
    """
    if not failed:
        return 0
    policy = plan.settings.failures
    where = SAMPLES if again == plan.output else str(plan.output / SAMPLES)
    accepted = policy.most is not None and not policy.exceeded(failed, plan.total)
    console.print(
        f"[red]{failed} of {plan.total} questions failed[/red]"
        f"{', which --fail-on-error accepts' if accepted else ''} ({escape(where)} says why). "
        f"Run the same command again with --output {escape(str(again))} to try them again.",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if accepted else 1
