"""What `sf-eval run` does with several models or numbers of frames. Kept out of run.py as `_run` is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from sf_eval.cli.actions.ahead import Ahead
from sf_eval.cli.actions.look import look_after_run
from sf_eval.cli.actions.progress import RunProgress
from sf_eval.cli.actions.run import evaluate, exit_code, planned, tell_of_page
from sf_eval.core.text import printable
from sf_eval.harness import output_dir
from sf_eval.harness.comparison import make_comparison
from sf_eval.harness.memory import release
from sf_eval.harness.plan import RunPlan
from sf_eval.harness.settings import RunSettings
from sf_eval.inference.device import resolve_device
from sf_eval.report.comparison import build as comparison
from sf_eval.report.comparison.contestant import contestants_of
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.writing import show, write
from sf_eval.report.model_label import with_words
from sf_eval.video import ClipPool


def compare_and_report(settings: Sequence[RunSettings], *, ahead: Ahead, all_tables: bool = False) -> int:
    """Plan all runs, run one after the other, compare. Returns 0 only if every run would on its own.

    Args:
        ahead: what was begun of the first run while this module was imported.
        all_tables: on the screen; they are in the files anyway.
    """
    console = Console(stderr=False)
    progress = RunProgress(console, brief=True)
    with progress.shown():
        plan = planned(
            lambda: make_comparison(settings, progress=progress.rendering, opened=ahead.opened), settings[0]
        )
        notes = dict.fromkeys(note for run in plan.runs.values() for note in run.notes)
        for line in (f"Output: {plan.output}", *notes):
            console.print(line, highlight=False, markup=False)
        with output_dir.locked(plan.output):
            output_dir.write_state(plan.output, plan.fingerprint, complete=False)
            finished: dict[str, Finished] = {}
            is_complete = True
            for number, (name, run) in enumerate(plan.runs.items(), start=1):
                _announce(f"{number} of {len(plan.runs)}", run, console)
                finished[name] = _run(run, progress, ahead.pool if number == 1 else None)
                is_complete &= not finished[name].failed
                # Workers' devices went with them, and need not be this machine's.
                release(resolve_device("cpu" if run.settings.workers else run.settings.device))
            progress.stage("Comparing")
            record = comparison.build(contestants_of(finished))
            write(record, plan.output)
            output_dir.write_state(plan.output, plan.fingerprint, complete=is_complete)
    # A run whose replay disagrees has ended the comparison with an error.
    console.print(Text(f"lmms-eval's replay of the answers agrees in all {len(finished)} runs", style="dim"))
    show(record, plan.output, console, all_tables=all_tables)
    codes = [
        look_after_run(run.settings, run.output, console)
        for run in plan.runs.values()
        if run.settings.attention is not None
    ]
    tell_of_page(plan.output, console)
    codes += [
        exit_code(run.output, plan.runs[name].settings.failures, console, again=plan.output)
        for name, run in finished.items()
    ]
    return max(codes)


def dry_run_only(settings: Sequence[RunSettings]) -> int:
    """Tell what each run would ask, cost and need."""
    from sf_eval.report.dry_run import show as show_dry_run

    console = Console()
    progress = RunProgress(console)
    looking = [replace(each, skip_missing=True, fetch_media=False) for each in settings]
    with progress.shown():
        plan = planned(lambda: make_comparison(looking, progress=progress.rendering), settings[0])
    for note in dict.fromkeys(note for run in plan.runs.values() for note in run.notes):
        console.print(note, highlight=False, markup=False)
    for run in plan.runs.values():
        show_dry_run(run, console)
    return 0


def _run(plan: RunPlan, progress: RunProgress, ahead: ClipPool | None) -> Finished:
    """One run as it would be alone; of its model nothing is kept.

    Raises:
        StoppedError: it was stopped; its own report tells what there is.
    """
    output, report = evaluate(plan, progress, ahead)
    if output.stopped is not None:
        raise output.stopped
    return Finished(output, report.profile.model_dump(mode="json"))


def _frames(plan: RunPlan) -> str:
    return f"{plan.card.num_frames} frames per video, " if plan.settings.conditions.shows_video else ""


def _announce(place: str, plan: RunPlan, console: Console) -> None:
    text = (
        f"{place}: {with_words(plan.card.title, plan.settings.conditions.words)}, {_frames(plan)}"
        f"{plan.total} questions "
        f"-> {plan.output.name}"
    )
    console.print(Text(printable(text), style="dim"))
