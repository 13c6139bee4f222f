"""Several runs on the same data become one comparison: means, gains, kinds of questions, costs.

How each number is made: docs/comparing.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sf_eval.benchmarks import catalog, paired
from sf_eval.benchmarks.intervals import interval95
from sf_eval.benchmarks.kinds import KindOfQuestion, kinds_of
from sf_eval.benchmarks.outcome import Outcome
from sf_eval.benchmarks.paired import Judged
from sf_eval.benchmarks.scores import MICRO
from sf_eval.harness.plan import RunPlan
from sf_eval.harness.record import RunRecord, SampleRecord, TaskRecord
from sf_eval.harness.run import RunOutput
from sf_eval.report.comparison_record import (
    BenchmarkColumn,
    BenchmarkScore,
    ComparedRun,
    ComparisonRecord,
    CostRecord,
    EstimateRecord,
    GainRecord,
    KindRecord,
    KindScore,
    PairRecord,
)
from sf_eval.report.leaderboard import caveats, data_label, entries, model_label
from sf_eval.report.run_profile_record import RunProfile

MEAN_RULE = (
    "The mean is over benchmarks, each once and each counting alike, by its own headline score: {titles}. "
    "Left out are other editions of one that is in it (with subtitles, a test set) and what has no public "
    "truth."
)
# In the order of the table.
_GROUPS = ("brief", "global")


@dataclass(frozen=True)
class Finished:
    """What a comparison keeps of a run; the model itself is let go.

    Attributes:
        failed: questions that failed.
    """

    plan: RunPlan
    record: RunRecord
    samples: list[SampleRecord]
    profile: Mapping[str, Any]

    @property
    def failed(self) -> int:
        return sum(sum(task.micro.failures.values()) for task in self.record.tasks)

    @classmethod
    def of(cls, output: RunOutput, profile: RunProfile) -> Finished:
        return cls(output.plan, output.record, output.samples, profile.model_dump(mode="json"))


Key = tuple[str, int]  # task, row


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
        command=list(first.plan.settings.command),
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
        kinds=_kinds(runs),
    )


# --- benchmarks -------------------------------------------------------------------------------------------


def _columns(runs: Iterable[Finished]) -> list[BenchmarkColumn]:
    """Tasks and groups as `leaderboard.entries` has them, but a group always stands for its tasks."""
    tasks = {task.task: task for run in runs for task in run.record.tasks}
    groups = {group.group: group for run in runs for group in run.record.groups}
    in_mean = _in_mean(tasks.values())
    columns: dict[str, BenchmarkColumn] = {}
    for task in tasks.values():
        name = catalog.get_benchmark(task.task).group or task.task
        if name not in groups:
            columns[name] = BenchmarkColumn(
                name=name,
                title=task.title,
                tasks=[name],
                in_mean=name in in_mean,
                remark=_remark(task),
            )
        elif name not in columns:
            group, total = groups[name], len(catalog.get_group(name).members)
            columns[name] = BenchmarkColumn(
                name=name,
                title=group.title if group.complete else f"{group.title} (incomplete)",
                tasks=group.tasks,
                in_mean=True,
                remark=f"mean of {len(group.tasks)} of {total} subtasks",
            )
    return list(columns.values())


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
    return "" if task.headline == MICRO else f"mean over {task.headline.removeprefix('macro:')}"


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
        f"{run.failed} of {run.plan.total} questions failed and are in no score "
        f"(coverage {100 * (1 - run.failed / run.plan.total):.1f}%); samples.jsonl says why."
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
    headlines = {task.task: task.headline for task in runs[0].record.tasks}
    answers = [{(sample.task, sample.doc_id): sample for sample in run.samples} for run in runs]
    judged: dict[str, list[Judged]] = {column.name: [] for column in columns}
    column_of = {task: column for column in columns for task in column.tasks}
    for key, sample in answers[0].items():
        if key not in keys:
            continue
        column = column_of[sample.task]
        is_group = column.name != sample.task
        group = sample.task if is_group else _group(sample, headlines[sample.task])
        if group is not None:
            right = tuple(each[key].outcome == Outcome.correct.value for each in answers)
            judged[column.name].append(Judged(sample.video, group, right))
    return judged


def _group(sample: SampleRecord, headline: str) -> str | None:
    """The group of a benchmark's headline that the sample counts in; None where it is in none."""
    return "" if headline == MICRO else sample.categories.get(headline.removeprefix("macro:"))


def _cost(profile: Mapping[str, Any], *, has_slow_path: bool) -> CostRecord | None:
    rows = [row for row in profile["flops"] if row["group"] == "all" and row["who"] == "model"]
    if not rows:
        return None
    (row,) = rows
    tokens = {name: values["mean"] for name, values in profile["tokens"].items()}
    return CostRecord(
        questions=row["questions"],
        prefill_flops=row["flops"]["prefill_flops"],
        total_flops=row["flops"]["total_flops"],
        latency_s=row["seconds"],
        prompt_tokens=tokens["prompt_tokens"],
        fast_tokens=tokens["fast_tokens"],
        slow_tokens=tokens["slow_tokens"] if has_slow_path else 0.0,
        resumed=profile["resumed"],
    )


# --- kinds of questions -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A judged question of a known kind."""

    kind: KindOfQuestion
    video: str
    options: int
    is_right: bool


def _kinds(runs: Mapping[str, Finished]) -> list[KindRecord]:
    """Groups of kinds, then kinds: brief ones, global ones, those about subtitles."""
    asked = {name: _asked_by_kind(run) for name, run in runs.items()}
    group_of = {one.kind.name: one.kind.group for each in asked.values() for one in each}
    groups = {
        group: {name for name, other in group_of.items() if other == group}
        for group in _GROUPS
        if group in group_of.values()
    }
    names = sorted(group_of, key=lambda name: (_place(group_of[name]), name))
    return [
        *(_kind(group, asked, members, is_group=True) for group, members in groups.items()),
        *(_kind(name, asked, {name}, is_group=False) for name in names),
    ]


def _place(group: str) -> int:
    return _GROUPS.index(group) if group in _GROUPS else len(_GROUPS)


def _kind(
    name: str,
    asked: Mapping[str, Sequence[_Asked]],
    kinds: set[str],
    *,
    is_group: bool,
) -> KindRecord:
    members = {run: [one for one in each if one.kind.name in kinds] for run, each in asked.items()}
    chances = [1 / one.options for each in members.values() for one in each]
    return KindRecord(
        name=name,
        is_group=is_group,
        chance=100 * sum(chances) / len(chances),
        scores=[_kind_score(run, each) for run, each in members.items() if each],
    )


def _kind_score(run: str, members: Sequence[_Asked]) -> KindScore:
    observed = [(one.video, one.is_right) for one in members]
    bounds = interval95([observed])
    return KindScore(
        run=run,
        n=len(members),
        accuracy=100 * sum(one.is_right for one in members) / len(members),
        interval95=None if bounds is None else (100 * bounds[0], 100 * bounds[1]),
    )


def _asked_by_kind(run: Finished) -> list[_Asked]:
    """Every judged question of a known kind.

    Two tasks may ask the same row, with and without subtitles: it counts by the first of them, and by both
    only where it is about the subtitles.
    """
    kinds: dict[Key, KindOfQuestion] = {}
    counted: set[tuple[str, str]] = set()
    for task in run.plan.tasks:
        for index, kind in kinds_of(task.opened).items():
            if (kind.row, kind.name) not in counted:
                counted.add((kind.row, kind.name))
                kinds[task.benchmark.name, index] = kind
    opened = {task.benchmark.name: task.opened for task in run.plan.tasks}
    return [
        _Asked(
            kind=kinds[sample.task, sample.doc_id],
            video=f"{opened[sample.task].folder.name}/{sample.video}",
            options=len(opened[sample.task].documents[sample.doc_id].options),
            is_right=sample.outcome == Outcome.correct.value,
        )
        for sample in run.samples
        if Outcome(sample.outcome).is_scored and (sample.task, sample.doc_id) in kinds
    ]
