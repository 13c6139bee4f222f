"""Several runs on the same data become one comparison: means, gains, kinds of questions, costs.

How each number is made: docs/comparing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import (
    GroupRecord,
    RunRecord,
    SampleRecord,
    ScoreRecord,
    TaskRecord,
)
from sf_eval.report.comparison.finished import Finished, Key
from sf_eval.report.comparison.kinds import kinds_compared
from sf_eval.report.comparison.record import (
    BenchmarkColumn,
    BenchmarkScore,
    ComparedRun,
    ComparisonRecord,
    CostRecord,
    EstimateRecord,
    GainRecord,
    PairRecord,
)
from sf_eval.report.leaderboard import caveats, data_label, entries, incomplete, model_label
from sf_eval.scoring import paired
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.paired import Judged

MEAN_RULE = (
    "The mean is over benchmarks, each once and each counting alike, by its own headline score: {titles}. "
    "Left out are other editions of one that is in it (with subtitles, a test set) and what has no public "
    "truth."
)


def build(
    runs: Mapping[str, Finished], *, seed: int = paired.SEED, resamples: int = paired.RESAMPLES
) -> ComparisonRecord:
    """The comparison of `runs` (by name, on the same data); the first is held against each of the others."""
    first = next(iter(runs.values()))
    columns = _columns(runs.values())
    titles = [column.title for column in columns if column.in_mean]
    (tested, *references) = runs
    return ComparisonRecord(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=first.record.command,
        data=data_label(first.record),
        seed=seed,
        resamples=resamples,
        mean_rule=MEAN_RULE.format(titles=", ".join(titles) or "none of those asked"),
        notes=_notes(runs),
        machine=_machine(first.record),
        benchmarks=columns,
        runs=[_run(name, run, columns, seed, resamples) for name, run in runs.items()],
        gains=[
            _gain((tested, first), (name, runs[name]), columns, seed=seed, resamples=resamples)
            for name in references
        ],
        kinds=kinds_compared(runs),
    )


# --- benchmarks -------------------------------------------------------------------------------------------


def _columns(runs: Iterable[Finished]) -> list[BenchmarkColumn]:
    """Tasks and groups as `leaderboard.entries` has them, but a group always stands for its tasks."""
    tasks: dict[str, list[TaskRecord]] = {}
    groups: dict[str, list[GroupRecord]] = {}
    for run in runs:
        for task in run.record.tasks:
            tasks.setdefault(task.task, []).append(task)
        for group in run.record.groups:
            groups.setdefault(group.group, []).append(group)
    in_mean = _in_mean([records[0] for records in tasks.values()])
    columns: dict[str, BenchmarkColumn] = {}
    for task_name, records in tasks.items():
        member_of = catalog.get_benchmark(task_name).group
        name = task_name if member_of is None else member_of.name
        if name not in groups:
            columns[name] = _task_column(records, in_mean=name in in_mean)
        elif name not in columns:
            columns[name] = _group_column(groups[name])
    return list(columns.values())


def _task_column(records: Sequence[TaskRecord], *, in_mean: bool) -> BenchmarkColumn:
    """One task, as each run has it."""
    lacking = any(record.score.lacks_parts for record in records)
    made_of = f" ({_parts([record.score for record in records])})" if lacking else ""
    remark = _remark(records[0])
    return BenchmarkColumn(
        name=records[0].task,
        title=incomplete(records[0].title, is_complete=not lacking),
        tasks=[records[0].task],
        in_mean=in_mean,
        remark=f"{remark}{made_of}" if remark else "",
    )


def _group_column(records: Sequence[GroupRecord]) -> BenchmarkColumn:
    """One group, as each run has it; a task that only some of them have an answer to belongs to it, too."""
    asked = {task for record in records for task in (*record.tasks, *record.unanswered)}
    name = records[0].group
    return BenchmarkColumn(
        name=name,
        title=incomplete(records[0].title, is_complete=all(record.complete for record in records)),
        tasks=[task for task in catalog.members_of(name) if task in asked],
        in_mean=True,
        remark=f"mean of {_parts([record.score for record in records])} subtasks",
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


def _remark(task: TaskRecord) -> str:
    if _is_unjudged(task):
        return "its truth is not public: unjudged"
    return "" if task.mean_over is None else f"mean over {task.mean_over}"


def _notes(runs: Mapping[str, Finished]) -> list[str]:
    """The caveats of all runs, each once; one that does not hold for all names whose it is."""
    holders: dict[str, list[str]] = {}
    for name, run in runs.items():
        for caveat in [*caveats(run.record), *_failures(run)]:
            holders.setdefault(caveat, []).append(name)
    notes = [
        caveat if len(names) == len(runs) else f"{', '.join(names)}: {caveat}"
        for caveat, names in holders.items()
    ]
    if any(run.record.scoring != "sf-eval" for run in runs.values()):
        notes.append("Compared by sf-eval's own reading of the answers; published scores are with each run.")
    return notes


def _failures(run: Finished) -> list[str]:
    if not run.failed:
        return []
    return [
        f"{run.failed} of {run.output.planned} questions failed and are in no score "
        f"(coverage {100 * (1 - run.failed / run.output.planned):.1f}%); samples.jsonl says why."
    ]


def _machine(record: RunRecord) -> str:
    described = record.machine
    where = described.get("gpu") or described["processor"]
    return f"{where}, {record.model.dtype}, {record.model.attn}, batch size {record.settings['batch_size']}"


# --- runs and their gains ---------------------------------------------------------------------------------


def _run(
    name: str, run: Finished, columns: Sequence[BenchmarkColumn], seed: int, resamples: int
) -> ComparedRun:
    record = run.record
    by_name = {entry.name: entry.score for entry in entries(record)}
    judged = _judged([run], _keys(run), columns)
    meant = {column.name: judged[column.name] for column in columns if column.in_mean}
    return ComparedRun(
        name=name,
        model=record.model.name,
        title=model_label(record),
        untrained=record.model.untrained,
        num_frames=record.model.num_frames,
        scores=[
            BenchmarkScore(benchmark=column.name, score=by_name[column.name])
            for column in columns
            if column.name in by_name
        ],
        mean=_estimate(paired.mean_accuracy(meant, seed=seed, resamples=resamples)),
        cost=_cost(run.profile, has_slow_path=record.model.slow_path == "on"),
    )


def _gain(
    tested: tuple[str, Finished],
    reference: tuple[str, Finished],
    columns: Sequence[BenchmarkColumn],
    *,
    seed: int,
    resamples: int,
) -> GainRecord:
    (tested_name, one), (reference_name, other) = tested, reference
    both = _keys(one) & _keys(other)
    judged = _judged([one, other], both, columns)
    in_mean = [column.name for column in columns if column.in_mean]
    overall, each = paired.compare(judged, in_mean, seed=seed, resamples=resamples)
    return GainRecord(
        tested=tested_name,
        reference=reference_name,
        same_questions=_asked(one) == _asked(other),
        left_out=len(_keys(one) ^ _keys(other)),
        overall=None if overall is None else _pair(None, overall),
        by_benchmark=[_pair(name, compared) for name, compared in each.items()],
    )


def _pair(benchmark: str | None, compared: paired.Comparison) -> PairRecord:
    difference = _estimate(compared.difference)
    assert difference is not None
    return PairRecord(
        benchmark=benchmark,
        tested=compared.first,
        reference=compared.second,
        difference=difference,
        relative=_estimate(compared.relative),
        n=compared.n,
        videos=compared.videos,
    )


def _estimate(value: paired.Estimate | None) -> EstimateRecord | None:
    return None if value is None else EstimateRecord(value=value.value, interval95=value.interval95)


def _asked(run: Finished) -> set[tuple[str, int, str, str | None]]:
    return {(sample.task, sample.doc_id, sample.question_id, sample.target) for sample in run.samples}


def _keys(run: Finished) -> set[Key]:
    """The questions with a judged answer."""
    return {(sample.task, sample.doc_id) for sample in run.samples if Outcome(sample.outcome).is_scored}


def _judged(
    runs: Sequence[Finished], keys: set[Key], columns: Sequence[BenchmarkColumn]
) -> dict[str, list[Judged]]:
    """The questions `keys` of each benchmark, with whether each run got it right."""
    mean_over = {task.task: task.mean_over for task in runs[0].record.tasks}
    answers = [{(sample.task, sample.doc_id): sample for sample in run.samples} for run in runs]
    judged: dict[str, list[Judged]] = {column.name: [] for column in columns}
    column_of = {task: column for column in columns for task in column.tasks}
    for key, sample in answers[0].items():
        if key not in keys:
            continue
        column = column_of[sample.task]
        is_group = column.name != sample.task
        group = sample.task if is_group else _group(sample, mean_over[sample.task])
        if group is not None:
            right = tuple(each[key].outcome == Outcome.correct.value for each in answers)
            judged[column.name].append(Judged(sample.video, group, right))
    return judged


def _group(sample: SampleRecord, mean_over: str | None) -> str | None:
    """The group of a benchmark's headline that the sample counts in; None where it is in none."""
    return "" if mean_over is None else sample.categories.get(mean_over)


def _cost(profile: Mapping[str, Any], *, has_slow_path: bool) -> CostRecord | None:
    rows = [row for row in profile["flops"] if row["group"] == "all" and row["who"] == "model"]
    latency_s = profile.get("seconds") if not rows else rows[0]["seconds"]
    if latency_s is None:
        return None
    flops = rows[0]["flops"] if rows else {"prefill_flops": None, "total_flops": None}
    tokens = {name: values["mean"] for name, values in profile["tokens"].items()}
    return CostRecord(
        questions=profile["questions"],
        prefill_flops=flops["prefill_flops"],
        total_flops=flops["total_flops"],
        latency_s=latency_s,
        prompt_tokens=tokens["prompt_tokens"],
        fast_tokens=tokens["fast_tokens"],
        slow_tokens=tokens["slow_tokens"] if has_slow_path else 0.0,
        resumed=profile["resumed"],
    )
