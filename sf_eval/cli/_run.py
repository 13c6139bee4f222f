"""What `sf-eval run` does, once its options are read. Kept out of run.py so that `--help` imports nothing."""

from __future__ import annotations

from dataclasses import replace

from rich.console import Console
from rich.markup import escape

from sf_eval.cli._progress import RunProgress
from sf_eval.core.errors import SfEvalError
from sf_eval.harness import output_dir
from sf_eval.harness.plan import EMBEDDED, RunPlan, fingerprint_of, make_plan
from sf_eval.harness.run import RunOutput, execute, interrupted
from sf_eval.harness.settings import RunSettings
from sf_eval.report.run_report import show, write


def run_and_report(settings: RunSettings) -> int:
    """Plan, run, report. Returns 0 only if every asked question was answered."""
    console = Console(stderr=False)
    progress = RunProgress(console)
    with progress.shown():
        plan = _plan(settings, progress)
        console.print(f"Output: {plan.output}", highlight=False, markup=False)
        try:
            with output_dir.locked(plan.output):
                output = execute(plan, progress)
                progress.stage("Writing the report")
                report = write(output)
                output_dir.write_state(plan.output, fingerprint_of(plan), complete=_all_answered(output))
        except KeyboardInterrupt:
            raise interrupted(plan) from None
    show(output, report, console)
    if output.stopped is not None:
        raise output.stopped
    return _exit_code(output, console)


def dry_run_only(settings: RunSettings) -> int:
    """Tell what a run would ask, cost and need; videos that are not here yet are not fetched."""
    from sf_eval.report.dry_run import show as show_dry_run

    console = Console()
    progress = RunProgress(console)
    with progress.shown():
        plan = _plan(replace(settings, skip_missing=True, fetch_media=False), progress)
    show_dry_run(plan, console)
    return 0


def _plan(settings: RunSettings, progress: RunProgress) -> RunPlan:
    try:
        return make_plan(settings, progress=progress.rendering)
    except SfEvalError as error:
        if settings.data == "hub" and error.exit_code == 2 and type(error).__name__ == "DataError":
            error.hint = f"{error.hint} {EMBEDDED}".strip()
        raise


def _all_answered(output: RunOutput) -> bool:
    return output.stopped is None and not _failed(output)


def _failed(output: RunOutput) -> int:
    return sum(sum(task.micro.failures.values()) for task in output.record.tasks)


def _exit_code(output: RunOutput, console: Console) -> int:
    """Non-zero if anything failed, unless `--fail-on-error` accepts as many."""
    failed = _failed(output)
    if not failed:
        return 0
    policy = output.plan.settings.failures
    accepted = policy.most is not None and not policy.exceeded(failed, output.plan.total)
    console.print(
        f"[red]{failed} of {output.plan.total} questions failed[/red]"
        f"{', which --fail-on-error accepts' if accepted else ''} (samples.jsonl says why). "
        f"Run the same command again with --output {escape(str(output.plan.output))} to try them again.",
        highlight=False,
        soft_wrap=True,
    )
    return 0 if accepted else 1
