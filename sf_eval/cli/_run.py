"""What `sf-eval run` does, once its options are read. Kept out of run.py so that `--help` imports nothing."""

from __future__ import annotations

from rich.console import Console

from sf_eval.cli._progress import RunProgress
from sf_eval.core.errors import SfEvalError
from sf_eval.harness import output_dir
from sf_eval.harness.plan import OTHER_WAYS, RunPlan, fingerprint_of, make_plan
from sf_eval.harness.run import RunOutput, execute
from sf_eval.harness.settings import RunSettings
from sf_eval.report.run_report import show, write


def run_and_report(settings: RunSettings) -> int:
    """Plan, run, report. Returns 0 only if every asked question was answered."""
    console = Console(stderr=False)
    progress = RunProgress(console)
    with progress.shown():
        plan = _plan(settings, progress)
        console.print(f"Output: {plan.output}", highlight=False)
        with output_dir.locked(plan.output):
            output = _execute(plan, progress)
            write(output)
            output_dir.write_state(plan.output, fingerprint_of(plan), complete=_all_answered(output))
    show(output, console)
    return _exit_code(output, console)


def _plan(settings: RunSettings, progress: RunProgress) -> RunPlan:
    try:
        return make_plan(settings, progress=progress.rendering)
    except SfEvalError as error:
        if settings.data == "hub" and error.exit_code == 2 and type(error).__name__ == "DataError":
            error.hint = f"{error.hint} {OTHER_WAYS}".strip()
        raise


def _execute(plan: RunPlan, progress: RunProgress) -> RunOutput:
    try:
        return execute(plan, progress)
    except KeyboardInterrupt:
        progress.console.print(
            f"Interrupted. What was answered is kept in {plan.output}: run the same command again to go on.",
            highlight=False,
        )
        raise


def _all_answered(output: RunOutput) -> bool:
    return not any(task.micro.failures for task in output.record.tasks)


def _exit_code(output: RunOutput, console: Console) -> int:
    failed = sum(sum(task.micro.failures.values()) for task in output.record.tasks)
    if not failed:
        return 0
    asked = sum(task.questions_asked for task in output.record.tasks)
    console.print(
        f"[red]{failed} of {asked} questions failed[/red] (samples.jsonl says why). "
        f"Run the same command again with --output {output.plan.output} to try them again.",
        highlight=False,
    )
    return 1
