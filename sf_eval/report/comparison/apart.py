"""What of several runs cannot be compared: open answers that were settled in different ways, or not yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import TaskRecord
from sf_eval.harness.recording import group_records, scored_by_task
from sf_eval.report.comparison.contestant import Contestant
from sf_eval.report.comparison.record import Incomparable
from sf_eval.report.settled import HOW_TO_JUDGE, settled_by

WHY: Mapping[Incomparable, str] = {
    "not_judged": "not judged, or not wholly, in one or more of these runs",
    "judges": "judged by different judges or prompts",
    "lexicons": "settled over different lexicons",
}


@dataclass(frozen=True)
class Apart:
    """A task that cannot be compared.

    Attributes:
        said: why, as a phrase that names runs or judges.
    """

    why: Incomparable
    said: str


def tasks_apart(runs: Mapping[str, Contestant]) -> dict[str, Apart]:
    """The tasks of `runs` (by name) whose scores are no two of a kind, and why."""
    asked: dict[str, dict[str, TaskRecord]] = {}
    for name, run in runs.items():
        for task in run.tasks:
            asked.setdefault(task.task, {})[name] = task
    found = {task: _apart(records) for task, records in asked.items()}
    return {task: why for task, why in found.items() if why is not None}


def without(run: Contestant, apart: Mapping[str, Apart]) -> Contestant:
    """The run, with the tasks that are apart in no group's mean but beside it."""
    groups = {task: catalog.get_benchmark(task).group for task in apart}
    touched = {group.name for group in groups.values() if group is not None}
    if not any(group.group in touched for group in run.groups):
        return run
    scored = scored_by_task(run.samples)
    kept = {task.task: scored.get(task.task, ()) for task in run.tasks if task.task not in apart}
    made = {group.group: group for group in group_records(kept) if group.group in touched}
    beside = {task.task: task.score for task in run.tasks if task.task in apart}
    others = {name: score for name, score in run.scores.items() if name not in touched}
    return replace(
        run,
        groups=[
            made.get(group.group, group)
            for group in run.groups
            if group.group not in touched or group.group in made
        ],
        scores={**others, **{name: group.score for name, group in made.items()}, **beside},
    )


def _apart(records: Mapping[str, TaskRecord]) -> Apart | None:
    """Of one task, as each run has it, by the run's name."""
    waiting = [name for name, task in records.items() if task.micro.not_judged]
    if waiting:
        return Apart("not_judged", _not_judged(waiting, records))
    ways = dict.fromkeys(way for task in records.values() if (way := settled_by(task)))
    if len(ways) < 2:
        return None
    why: Incomparable = "lexicons" if _is_by_words(records) else "judges"
    return Apart(why, f"{WHY[why]} ({', '.join(dict.fromkeys(way[0] for way in ways))}): not comparable")


def _is_by_words(records: Mapping[str, TaskRecord]) -> bool:
    return any(task.settled_by == "wups" for task in records.values())


def _not_judged(waiting: Sequence[str], records: Mapping[str, TaskRecord]) -> str:
    """Of which runs how many answers are not judged."""
    counts = [f"{records[name].micro.not_judged} of {name}" for name in waiting]
    return f"not judged, only a judge can tell of its open answers ({', '.join(counts)}; {HOW_TO_JUDGE})"
