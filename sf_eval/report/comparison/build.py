"""Several runs on the same data become one comparison: means, gains, kinds of questions, costs.

How each number is made: docs/comparing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import GroupRecord, ScoreRecord, TaskRecord
from sf_eval.report.comparison.apart import Apart, tasks_apart, without
from sf_eval.report.comparison.contestant import Contestant, contestant_of
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.kinds import kinds_compared
from sf_eval.report.comparison.pairing import (
    Named,
    Resampling,
    by_question,
    estimate,
    gain_of,
    judged_questions,
    scored_questions,
)
from sf_eval.report.comparison.record import BenchmarkColumn, BenchmarkScore, ComparedRun, ComparisonRecord
from sf_eval.report.comparison.verdict import TELL
from sf_eval.report.means import group_title, incomplete, made_of
from sf_eval.report.settled import how_settled, settled_notes
from sf_eval.scoring import paired

MEAN_RULE = (
    "The mean is over benchmarks, each once and each counting alike, by its own headline score: {titles}. "
    "Left out are other editions of one that is in it (with subtitles, a test set) and what has no public "
    "truth.{not_judged}"
)


def build(
    runs: Mapping[str, Finished | Contestant],
    *,
    seed: int = paired.SEED,
    resamples: int = paired.RESAMPLES,
    tell: float = TELL,
    command: Sequence[str] = (),
) -> ComparisonRecord:
    """The comparison of `runs` (by name, on the same data); the first is held against each of the others.

    Args:
        tell: percentage points that one wants to be able to tell (`verdict.verdict_name`).
        command: what asked for it; without it, the first run's own.
    """
    asked = {name: contestant_of(run) if isinstance(run, Finished) else run for name, run in runs.items()}
    apart = tasks_apart(asked)
    compared = {name: without(run, apart) for name, run in asked.items()}
    (tested, *references) = (Named(name, run) for name, run in compared.items())
    columns = _columns(compared.values(), apart)
    titles = [column.title for column in columns if column.in_mean]
    how = Resampling(seed, resamples)
    return ComparisonRecord(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=list(command or tested.run.command),
        data=tested.run.data,
        seed=seed,
        resamples=resamples,
        mean_rule=MEAN_RULE.format(
            titles=", ".join(titles) or "none of those asked", not_judged=_told_apart(columns)
        ),
        notes=_notes(compared),
        machine=tested.run.machine,
        benchmarks=columns,
        runs=[_run(name, run, columns, seed, resamples) for name, run in compared.items()],
        gains=[gain_of(tested, reference, columns, how=how, tell=tell) for reference in references],
        kinds=kinds_compared(compared, without=apart.keys()),
        tell=tell,
        unread=[unread for run in compared.values() for unread in run.unread],
    )


# --- benchmarks -------------------------------------------------------------------------------------------


def _columns(runs: Iterable[Contestant], apart: Mapping[str, Apart]) -> list[BenchmarkColumn]:
    """Tasks and groups as `leaderboard.entries` has them, but a group always stands for its tasks.

    Args:
        apart: tasks that cannot be compared: they have columns of their own, and are in no group's.
    """
    tasks: dict[str, list[TaskRecord]] = {}
    groups: dict[str, list[GroupRecord]] = {}
    for run in runs:
        for task in run.tasks:
            tasks.setdefault(task.task, []).append(task)
        for group in run.groups:
            groups.setdefault(group.group, []).append(group)
    in_mean = _in_mean([records[0] for name, records in tasks.items() if name not in apart])
    columns: dict[str, BenchmarkColumn] = {}
    for task_name, records in tasks.items():
        member_of = catalog.get_benchmark(task_name).group
        name = task_name if member_of is None or task_name in apart else member_of.name
        if name not in groups:
            columns[name] = _task_column(records, in_mean=name in in_mean, apart=apart.get(name))
        elif name not in columns:
            columns[name] = _group_column(groups[name], tasks)
    return list(columns.values())


def _task_column(records: Sequence[TaskRecord], *, in_mean: bool, apart: Apart | None) -> BenchmarkColumn:
    """One task, as each run has it."""
    lacking = any(record.score.lacks_parts for record in records)
    made_of = f" ({_parts([record.score for record in records])})" if lacking else ""
    remark = _remark(records[0]) if apart is None else apart.said
    return BenchmarkColumn(
        name=records[0].task,
        title=incomplete(records[0].title, is_complete=not lacking),
        tasks=[records[0].task],
        in_mean=in_mean,
        remark=f"{remark}{made_of}" if remark else "",
        incomparable=None if apart is None else apart.why,
    )


def _group_column(
    records: Sequence[GroupRecord], tasks: Mapping[str, Sequence[TaskRecord]]
) -> BenchmarkColumn:
    """One group, as each run has it; a task that only some of them have an answer to belongs to it, too."""
    asked = {task for record in records for task in (*record.tasks, *record.unanswered)}
    name = records[0].group
    members = [task for task in catalog.members_of(name) if task in asked]
    settled = settled_notes(tasks[member][0] for member in members)
    return BenchmarkColumn(
        name=name,
        title=group_title(records),
        tasks=members,
        in_mean=True,
        remark="; ".join([f"mean of {made_of(records)}", *(note.removesuffix(".") for note in settled)]),
    )


def _parts(scores: Sequence[ScoreRecord]) -> str:
    """What the runs' means are made of: "20 of 20", or "19 to 20 of 20" where they differ."""
    counts = [score.parts for score in scores]
    each = str(counts[0]) if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    return f"{each} of {max(score.parts_total for score in scores)}"


def _in_mean(tasks: Iterable[TaskRecord]) -> set[str]:
    """Each benchmark once: another edition enters only where the benchmark's own was not asked."""
    editions: dict[str, str] = {}
    for task in tasks:
        if not _is_unjudged(task):
            own = catalog.get_benchmark(task.task).edition_of
            if not own:
                editions[task.task] = task.task
            else:
                editions.setdefault(own, task.task)
    return set(editions.values())


def _is_unjudged(task: TaskRecord) -> bool:
    return task.submission_file is not None or (task.micro.unjudged > 0 and task.micro.n == 0)


def _told_apart(columns: Sequence[BenchmarkColumn]) -> str:
    """Names what is not in the mean since its answers were not settled alike in every run."""
    waiting = [column.title for column in columns if column.incomparable == "not_judged"]
    others = [column.title for column in columns if column.incomparable in ("judges", "lexicons")]
    return "".join(
        f" Nor is what {why}: {', '.join(titles)}."
        for why, titles in (("is not judged", waiting), ("was judged in different ways", others))
        if titles
    )


def _remark(task: TaskRecord) -> str:
    if _is_unjudged(task):
        return "its truth is not public: unjudged"
    if how := how_settled(task):
        return how
    return "" if task.mean_over is None else f"mean over {task.mean_over}"


def _notes(runs: Mapping[str, Contestant]) -> list[str]:
    """The caveats of all runs, each once; one that does not hold for all names whose it is."""
    holders: dict[str, list[str]] = {}
    for name, run in runs.items():
        for caveat in run.notes:
            holders.setdefault(caveat, []).append(name)
    notes = [
        caveat if len(names) == len(runs) else f"{', '.join(names)}: {caveat}"
        for caveat, names in holders.items()
    ]
    if any(run.is_scored_otherwise for run in runs.values()):
        notes.append("Compared by sf-eval's own reading of the answers; published scores are with each run.")
    return notes


# --- runs ---------------------------------------------------------------------------------------------------


def _run(
    name: str, run: Contestant, columns: Sequence[BenchmarkColumn], seed: int, resamples: int
) -> ComparedRun:
    samples = by_question(run.samples)
    judged = judged_questions([samples], scored_questions(samples), columns, run)
    meant = {column.name: judged[column.name] for column in columns if column.in_mean}
    return ComparedRun(
        name=name,
        source=run.source,
        folder=run.folder,
        complete=run.complete,
        model=run.model,
        title=run.title,
        untrained=run.untrained,
        num_frames=run.num_frames,
        scores=[
            BenchmarkScore(benchmark=column.name, score=run.scores[column.name])
            for column in columns
            if column.name in run.scores
        ],
        mean=estimate(paired.mean_accuracy(meant, seed=seed, resamples=resamples)),
        cost=run.cost,
        community=run.community,
        is_control=run.is_control,
    )
