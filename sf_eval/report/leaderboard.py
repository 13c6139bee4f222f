"""The leaderboard: what this run measured beside what others reported, never mixed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import GroupRecord, RunRecord, ScoreRecord, TaskRecord
from sf_eval.report.published import PublishedModel, published_models
from sf_eval.report.tables import ABSENT, Table, interval, percent, to_csv, to_markdown

CSV_COLUMNS = (
    "model", "frames", "kind", "data", "benchmark", "accuracy", "interval95_low", "interval95_high", "n", "coverage",
    "bound_low", "bound_high", "source",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A benchmark's score in this run: a task of its own, or a group's mean."""

    name: str
    title: str
    data: str
    column: str | None
    score: ScoreRecord
    remark: str


def entries(record: RunRecord) -> list[Entry]:
    """One entry a benchmark: a group stands for its tasks once it is complete."""
    grouped = {task for group in record.groups if group.complete for task in group.tasks}
    singles = [_of_task(task, record) for task in record.tasks if task.task not in grouped]
    return singles + [_of_group(group, record) for group in record.groups]


def measured_table(record: RunRecord) -> Table:
    """Score, interval, n and coverage of each benchmark of the run."""
    rows = []
    for entry in entries(record):
        score = entry.score
        rows.append(
            (
                entry.title,
                entry.remark,
                percent(score.accuracy),
                interval(score.interval95),
                str(score.n),
                f"{score.coverage:.1f}",
                interval(score.bounds) if score.failures else ABSENT,
                str(score.no_answer),
                _failures(score.failures),
            )
        )
    return Table(
        title=f"Measured: {model_label(record)} on {record.data}",
        columns=(
            "benchmark", "score is", "score %", "95% interval", "n", "coverage %", "if all failed wrong/right",
            "no answer", "failed",
        ),
        rows=tuple(rows),
        numeric=frozenset({"score %", "95% interval", "n", "coverage %", "if all failed wrong/right", "no answer"}),
        notes=tuple(caveats(record)),
    )  # fmt: skip


def breakdown_tables(record: RunRecord) -> list[Table]:
    """One table a task: its categories."""
    return [_breakdown(task, record) for task in record.tasks if task.breakdown]


def reported_table(record: RunRecord) -> Table | None:
    """What was reported on the real benchmarks; the row of this very model is marked."""
    columns = [(entry.title, entry.column) for entry in entries(record) if entry.column]
    if not columns:
        return None
    rows = []
    for published in published_models():
        values = [published.accuracies.get(column) for _, column in columns]
        if all(value is None for value in values):
            continue
        name = published.model + (" (this model)" if published.key == record.model.published else "")
        rows.append((name, published.frames or ABSENT, *(percent(value) for value in values), published.source))
    titles = tuple(title for title, _ in columns)
    notes = ["Reported by their authors or third parties, not measured here."]
    if is_mini(record):
        notes.append("On the real benchmarks: not comparable with the mini edition above.")
    return Table(
        title="Reported: published accuracies on the real benchmarks",
        columns=("model", "frames", *titles, "source"),
        rows=tuple(rows),
        numeric=frozenset({"frames", *titles}),
        notes=tuple(notes),
    )


def markdown(record: RunRecord) -> str:
    """`leaderboard.md`."""
    tables = [measured_table(record), *published_scoring_tables(record)]
    if (reported := reported_table(record)) is not None:
        tables.append(reported)
    tables.extend(breakdown_tables(record))
    head = f"# Leaderboard: {model_label(record)} on {record.data}\n"
    return "\n".join([head, *map(to_markdown, tables)])


def csv_text(record: RunRecord) -> str:
    """`leaderboard.csv`: one line a score, measured and reported told apart by `kind`."""
    lines: list[Sequence[object]] = []
    for entry in entries(record):
        score = entry.score
        low, high = score.interval95 or ("", "")
        worst, best = score.bounds or ("", "")
        lines.append(
            (
                model_label(record), record.model.num_frames, "measured", entry.data, entry.name,
                "" if score.accuracy is None else score.accuracy, low, high, score.n, score.coverage, worst, best, "this run",
            )  # fmt: skip
        )
    for published in published_models():
        lines.extend(_reported_lines(published, entries(record)))
    return to_csv(CSV_COLUMNS, lines)


def caveats(record: RunRecord) -> list[str]:
    """What a reader must know before quoting a number of this run."""
    notes = []
    if is_mini(record):
        notes.append(f"{record.data}: synthetic questions in the real format, not the benchmark itself.")
    if record.model.untrained:
        notes.append("The model's weights are untrained (seeded at random): its scores say nothing but chance.")
    limited = [task for task in record.tasks if task.questions_asked < task.questions_total]
    for task in limited:
        notes.append(f"{task.title}: only {task.questions_asked} of {task.questions_total} questions were asked.")
    if any(task.clip == "cut" for task in record.tasks):
        notes.append("--clip cut: rows with start and end show that part; the published evaluation showed the whole file.")
    if not record.model.decode_slow_attention:
        notes.append("Response tokens did not see slow tokens, as in the published code.")
    return notes


def model_label(record: RunRecord) -> str:
    untrained = ", untrained weights" if record.model.untrained else ""
    return f"{record.model.title} [{record.model.num_frames} frames{untrained}]"


def is_mini(record: RunRecord) -> bool:
    return record.data.startswith("mini")


def _of_task(task: TaskRecord, record: RunRecord) -> Entry:
    remark = "micro" if task.headline == "micro" else f"mean over {task.headline.removeprefix('macro:')}"
    if task.submission_file:
        remark = f"see {task.submission_file}"
    column = catalog.get_benchmark(task.task).published_column
    return Entry(task.task, task.title, record.data, column, task.score, remark)


def _of_group(group: GroupRecord, record: RunRecord) -> Entry:
    complete = "" if group.complete else " (incomplete)"
    return Entry(
        name=group.group,
        title=group.title + complete,
        data=record.data,
        column=group.group if group.complete else None,
        score=group.score,
        remark=f"mean of {len(group.tasks)} subtasks",
    )


def _breakdown(task: TaskRecord, record: RunRecord) -> Table:
    rows = tuple(
        (part.category, part.value, percent(part.score.accuracy), interval(part.score.interval95), str(part.score.n))
        for part in task.breakdown
    )
    return Table(
        title=f"{task.title} by category ({record.data})",
        columns=("category", "value", "accuracy %", "95% interval", "n"),
        rows=rows,
        numeric=frozenset({"accuracy %", "95% interval", "n"}),
    )


def published_scoring_tables(record: RunRecord) -> list[Table]:
    """The same outputs under the authors' scorers, where `--scoring` asks for them."""
    rows = [
        (
            task.title,
            percent(task.micro.accuracy),
            percent(task.published.accuracy),
            str(task.published.n),
            str(task.published.random_guesses),
            str(task.published.raised),
        )
        for task in record.tasks
        if task.published is not None
    ]
    if not rows:
        return []
    return [
        Table(
            title=f"The same outputs under both scorers ({record.data})",
            columns=("benchmark", "sf-eval %", "published scorer %", "n", "random guesses", "raised"),
            rows=tuple(rows),
            numeric=frozenset({"sf-eval %", "published scorer %", "n", "random guesses", "raised"}),
            notes=("The published scorer's random guesses are counted as wrong here.",),
        )
    ]


def _reported_lines(published: PublishedModel, shown: list[Entry]) -> list[Sequence[object]]:
    return [
        (
            published.model, published.frames, "reported", "real benchmark", entry.name,
            published.accuracies[entry.column], "", "", "", "", "", "", published.source,
        )  # fmt: skip
        for entry in shown
        if entry.column in published.accuracies
    ]


def _failures(failures: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in failures.items()) or ABSENT
