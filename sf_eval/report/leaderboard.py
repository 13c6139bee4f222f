"""The leaderboard: what this run measured beside what others reported, never mixed up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sf_eval.benchmarks import catalog
from sf_eval.core.tables import ABSENT, Table, escaped, interval, percent, to_csv, to_markdown
from sf_eval.harness.record import GroupRecord, PublishedScoreRecord, RunRecord, ScoreRecord, TaskRecord
from sf_eval.report import group_scores
from sf_eval.report.caveats import caveats, is_mini
from sf_eval.report.means import group_title, incomplete, made_of, parts
from sf_eval.report.model_label import model_label
from sf_eval.report.published import PublishedModel, published_models
from sf_eval.report.settled import score_cell, settled_notes

CSV_COLUMNS = (
    "model", "frames", "kind", "scoring", "data", "benchmark", "accuracy", "interval95_low",
    "interval95_high", "n", "coverage", "parts", "parts_total", "bound_low", "bound_high",
    "complete", "source", "settled",
)  # fmt: skip
_FAILED = "samples.jsonl names each failed sample and its reason. Failed samples are not in n."


@dataclass(frozen=True)
class Entry:
    """A benchmark's score in this run: a task of its own, or a group's mean.

    Attributes:
        benchmark: its title, whatever of it this score is made of; `title` says where parts are missing.
        tasks: the tasks whose answers it is made of.
        column: its column of published numbers; None where it has none, or where the score is a mean of fewer
            parts than those are.
    """

    name: str
    tasks: tuple[str, ...]
    benchmark: str
    title: str
    data: str
    column: str | None
    score: ScoreRecord
    published: PublishedScoreRecord | None
    remark: str


def entries(record: RunRecord, *, folded: bool = False) -> list[Entry]:
    """One entry a benchmark: a group stands for its tasks once it is complete.

    Args:
        folded: a group stands for its tasks even where it is not complete, which its title says.
    """
    grouped = {
        task
        for group in record.groups
        if group.complete or folded
        for task in (*group.tasks, *group.unanswered)
    }
    singles = [_of_task(task, record) for task in record.tasks if task.task not in grouped]
    return singles + [_of_group(group, record) for group in record.groups]


def measured_table(record: RunRecord, *, folded: bool = False) -> Table:
    """Score, interval, n and coverage of each benchmark, by the scorers that `--scoring` asks for.

    Args:
        folded: as of `entries`.
    """
    columns = {"benchmark": False, **_score_columns(record), "coverage %": True}
    rows = []
    for entry in entries(record, folded=folded):
        cells = {"benchmark": entry.title, "coverage %": f"{entry.score.coverage:.1f}"}
        if record.scoring != "published":
            cells.update(_own_cells(entry.score))
        if record.scoring != "sf-eval":
            cells.update(_published_cells(entry.published))
        rows.append(tuple(cells[column] for column in columns))
    return Table(
        title=f"Measured: {model_label(record)}, {data_label(record)}",
        columns=tuple(columns),
        rows=tuple(rows),
        numeric=frozenset(name for name, is_numeric in columns.items() if is_numeric),
        notes=(*_remarks(record, folded=folded), *caveats(record)),
    )


def failures_table(record: RunRecord) -> Table | None:
    """What failed, and the score if all of it were wrong or right; None where nothing failed."""
    failed = [entry for entry in entries(record) if entry.score.failures]
    if not failed:
        return None
    rows = tuple(
        (
            entry.title,
            _failures(entry.score.failures),
            score_cell(entry.score),
            interval(entry.score.bounds),
        )
        for entry in failed
    )
    return Table(
        title=f"Failed samples: {model_label(record)}, {data_label(record)}",
        columns=("benchmark", "failed", "score %", "if all failed were wrong / right"),
        rows=rows,
        numeric=frozenset({"score %", "if all failed were wrong / right"}),
        notes=(_FAILED, *settled_notes(record.tasks)),
    )


def _score_columns(record: RunRecord) -> dict[str, bool]:
    own = {"score %": True, "95% interval": True, "n": True}
    if record.scoring == "sf-eval":
        own["no answer"] = True
    published = {"published %": True, "published 95%": True, "published n": True, "guesses": True}
    return {
        **(own if record.scoring != "published" else {}),
        **(published if record.scoring != "sf-eval" else {}),
    }


def _own_cells(score: ScoreRecord) -> dict[str, str]:
    return {
        "score %": score_cell(score),
        "95% interval": interval(score.interval95),
        "n": str(score.n),
        "no answer": str(score.no_answer),
    }


def _published_cells(score: PublishedScoreRecord | None) -> dict[str, str]:
    return {
        "published %": percent(score.accuracy if score else None),
        "published 95%": interval(score.interval95 if score else None),
        "published n": str(score.n) if score else ABSENT,
        "guesses": str(score.random_guesses) if score else ABSENT,
    }


def _remarks(record: RunRecord, *, folded: bool) -> list[str]:
    """How a score is made, where it is not simply all questions alike."""
    notes = [f"{entry.title}: {entry.remark}." for entry in entries(record, folded=folded) if entry.remark]
    if record.scoring != "sf-eval":
        notes.append(
            "Published: the authors' scorers, micro average. Guesses: letters they would draw at random, "
            "counted as wrong here."
        )
    return notes


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
        rows.append(
            (name, published.frames or ABSENT, *(percent(value) for value in values), published.source)
        )
    titles = tuple(title for title, _ in columns)
    notes = ["Reported by their authors or third parties, not measured here.", *_published_notes(record)]
    if is_mini(record):
        notes.append("On the real benchmarks: not comparable with the mini edition above.")
    return Table(
        title="Reported: published accuracies on the real benchmarks",
        columns=("model", "frames", *titles, "source"),
        rows=tuple(rows),
        numeric=frozenset({"frames", *titles}),
        notes=tuple(notes),
    )


def _published_notes(record: RunRecord) -> list[str]:
    """How a published number is made otherwise than ours."""
    noted = (catalog.get_benchmark(task.task) for task in record.tasks)
    return list(
        dict.fromkeys(f"{each.title}: {each.published_note}." for each in noted if each.published_note)
    )


def markdown(record: RunRecord) -> str:
    """`leaderboard.md`."""
    tables = [
        measured_table(record),
        failures_table(record),
        reported_table(record),
        *group_scores.tables(record),
        *breakdown_tables(record),
    ]
    head = f"# {escaped(f'Leaderboard: {model_label(record)} on {data_label(record)}')}\n"
    return "\n".join([head, *(to_markdown(table) for table in tables if table is not None)])


def csv_text(record: RunRecord) -> str:
    """`leaderboard.csv`: one line a score; `kind` tells measured from reported."""
    shown = entries(record)
    lines = [line for entry in shown for line in _measured_lines(entry, record)]
    lines.extend(group_scores.csv_lines(record))
    for published in published_models():
        lines.extend(_reported_lines(published, shown))
    return to_csv(CSV_COLUMNS, lines)


def _measured_lines(entry: Entry, record: RunRecord) -> Iterator[dict[str, object]]:
    for scoring, score in (("sf-eval", entry.score), ("published", entry.published)):
        if score is None or record.scoring not in (scoring, "both"):
            continue
        low, high = score.interval95 or (None, None)
        worst, best = (score.bounds if isinstance(score, ScoreRecord) else None) or (None, None)
        yield {
            "model": model_label(record),
            "frames": record.model.num_frames,
            "kind": "measured",
            "scoring": scoring,
            "data": entry.data,
            "benchmark": entry.name,
            "accuracy": score.accuracy,
            "interval95_low": low,
            "interval95_high": high,
            "n": score.n,
            "coverage": entry.score.coverage,
            "parts": score.parts,
            "parts_total": score.parts_total,
            "bound_low": worst,
            "bound_high": best,
            "complete": "yes" if record.complete else "partial",
            "source": "this run",
            "settled": " ".join(settled_notes(task for task in record.tasks if task.task in entry.tasks)),
        }


def data_label(record: RunRecord) -> str:
    """The data source; with MVBench also which part of a file was shown where a row names one."""
    modes = {task.clip for task in record.tasks if catalog.get_benchmark(task.task).rows_have_times}
    if not modes:
        return record.data
    shown = "clips cut by start and end" if "cut" in modes else "whole files shown, as published"
    return f"{record.data}; MVBench: {shown}"


def _of_task(task: TaskRecord, record: RunRecord) -> Entry:
    remark = group_scores.remark(task)
    if task.mean_over is not None:
        category = task.mean_over
        of = f" ({parts(task.score)})" if task.score.lacks_parts else ""
        remark = f"mean over {category}{of}; all questions alike (micro): {percent(task.micro.accuracy)}"
    if task.submission_file:
        remark = f"its truth is not public, the answers are in {task.submission_file}"
    elif task.score.unjudged:
        remark = f"its truth is not public, {task.score.unjudged} answers are unjudged"
    return Entry(
        name=task.task,
        tasks=(task.task,),
        benchmark=task.title,
        title=incomplete(task.title, is_complete=not task.score.lacks_parts),
        data=data_label(record),
        column=None if task.score.lacks_parts else catalog.get_benchmark(task.task).published_column,
        score=task.score,
        published=task.published,
        remark=remark,
    )


def _of_group(group: GroupRecord, record: RunRecord) -> Entry:
    remark = f"mean of {made_of([group])}"
    if group.published is not None and group.published.parts != group.score.parts:
        remark += f" (published: of {parts(group.published)})"
    return Entry(
        name=group.group,
        tasks=tuple(group.tasks),
        benchmark=group.title,
        title=group_title([group]),
        data=data_label(record),
        column=catalog.get_group(group.group).published_column if group.complete else None,
        score=group.score,
        published=group.published,
        remark=remark,
    )


def _breakdown(task: TaskRecord, record: RunRecord) -> Table:
    rows = tuple(
        (
            part.category,
            part.value,
            score_cell(part.score),
            interval(part.score.interval95),
            str(part.score.n),
            f"{part.score.coverage:.1f}",
        )
        for part in task.breakdown
    )
    return Table(
        title=f"{task.title} by category: {model_label(record)}, {data_label(record)}",
        columns=("category", "value", "accuracy %", "95% interval", "n", "coverage %"),
        rows=rows,
        numeric=frozenset({"accuracy %", "95% interval", "n", "coverage %"}),
        notes=tuple(settled_notes([task])),
    )


def _reported_lines(published: PublishedModel, shown: list[Entry]) -> list[dict[str, object]]:
    return [
        {
            "model": published.model,
            "frames": published.frames,
            "kind": "reported",
            "data": "real benchmark",
            "benchmark": entry.name,
            "accuracy": published.accuracies[entry.column],
            "source": published.source,
        }
        for entry in shown
        if entry.column in published.accuracies
    ]


def _failures(failures: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in failures.items()) or ABSENT
