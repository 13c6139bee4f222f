"""Several runs on the same data become one comparison: means, gains, kinds of questions, costs.

How each number is made: docs/comparing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import GroupRecord, ScoreRecord, TaskRecord
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
from sf_eval.report.settled import how_settled
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
    compared = {name: contestant_of(run) if isinstance(run, Finished) else run for name, run in runs.items()}
    (tested, *references) = (Named(name, run) for name, run in compared.items())
    columns = _columns(compared.values())
    titles = [column.title for column in columns if column.in_mean]
    how = Resampling(seed, resamples)
    return ComparisonRecord(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=list(command or tested.run.command),
        data=tested.run.data,
        seed=seed,
        resamples=resamples,
        mean_rule=MEAN_RULE.format(
            titles=", ".join(titles) or "none of those asked", not_judged=_not_judged(compared.values())
        ),
        notes=_notes(compared),
        machine=tested.run.machine,
        benchmarks=columns,
        runs=[_run(name, run, columns, seed, resamples) for name, run in compared.items()],
        gains=[gain_of(tested, reference, columns, how=how, tell=tell) for reference in references],
        kinds=kinds_compared(compared),
        tell=tell,
        unread=[unread for run in compared.values() for unread in run.unread],
    )


# --- benchmarks -------------------------------------------------------------------------------------------


def _columns(runs: Iterable[Contestant]) -> list[BenchmarkColumn]:
    """Tasks and groups as `leaderboard.entries` has them, but a group always stands for its tasks."""
    tasks: dict[str, list[TaskRecord]] = {}
    groups: dict[str, list[GroupRecord]] = {}
    for run in runs:
        for task in run.tasks:
            tasks.setdefault(task.task, []).append(task)
        for group in run.groups:
            groups.setdefault(group.group, []).append(group)
    alike = {name for name, each in tasks.items() if not any(map(_waits, each)) and not _judged_apart(each)}
    in_mean = _in_mean([records[0] for name, records in tasks.items() if name in alike])
    columns: dict[str, BenchmarkColumn] = {}
    for task_name, records in tasks.items():
        member_of = catalog.get_benchmark(task_name).group
        name = task_name if member_of is None else member_of.name
        if name not in groups:
            columns[name] = _task_column(records, in_mean=name in in_mean)
        elif name not in columns:
            members = [each for task, each in tasks.items() if task in catalog.members_of(name)]
            columns[name] = _group_column(groups[name], is_apart=any(map(_judged_apart, members)))
    return list(columns.values())


def _task_column(records: Sequence[TaskRecord], *, in_mean: bool) -> BenchmarkColumn:
    """One task, as each run has it."""
    lacking = any(record.score.lacks_parts for record in records)
    made_of = f" ({_parts([record.score for record in records])})" if lacking else ""
    remark = _remark(next(filter(_waits, records), records[0]))
    if _judged_apart(records):
        models = dict.fromkeys(record.judge.model for record in records if record.judge is not None)
        remark = f"judged by different judges or prompts ({', '.join(models)}): not comparable"
    return BenchmarkColumn(
        name=records[0].task,
        title=incomplete(records[0].title, is_complete=not lacking),
        tasks=[records[0].task],
        in_mean=in_mean,
        remark=f"{remark}{made_of}" if remark else "",
    )


def _group_column(records: Sequence[GroupRecord], *, is_apart: bool) -> BenchmarkColumn:
    """One group, as each run has it; a task that only some of them have an answer to belongs to it, too.

    Args:
        is_apart: a task of it was judged by different judges.
    """
    waits = any(record.score.not_judged and not record.score.n for record in records)
    asked = {task for record in records for task in (*record.tasks, *record.unanswered)}
    name = records[0].group
    return BenchmarkColumn(
        name=name,
        title=group_title(records),
        tasks=[task for task in catalog.members_of(name) if task in asked],
        in_mean=not is_apart and not waits,
        remark=f"mean of {made_of(records)}"
        + (", parts of it judged by different judges or prompts: not comparable" if is_apart else ""),
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


def _waits(task: TaskRecord) -> bool:
    """Some of its answers are not judged yet."""
    return task.micro.not_judged > 0


def _judged_apart(records: Sequence[TaskRecord]) -> bool:
    """Different judges or prompts said what is right in it: their verdicts are no two of a kind."""
    judges = {(each.judge.model, each.judge.prompt_digest) for each in records if each.judge is not None}
    return len(judges) > 1


def _not_judged(runs: Iterable[Contestant]) -> str:
    """Names what is not in the mean since a judge was not asked of every run."""
    titles = dict.fromkeys(task.title for run in runs for task in run.tasks if _waits(task))
    return f" Nor is what is not judged: {', '.join(titles)}." if titles else ""


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
