"""The group score of Video-MME-v2 and its like: a table, and lines of a CSV."""

from __future__ import annotations

from collections.abc import Iterator

from sf_eval.core.tables import Table, interval, percent
from sf_eval.harness.record import RunRecord, TaskRecord
from sf_eval.report.model_label import model_label
from sf_eval.scoring.group_score import ALL, GroupScore

SCORING = "group score"
"""What `leaderboard.csv` calls it in its column "scoring"."""

RULES = (
    "Group score: a video's four questions together, from 0 to 100. Consistency: the square of the share "
    "that is right. Coherence: a chain of reasoning counts up to its first error."
)


def tables(record: RunRecord) -> list[Table]:
    """One table a task whose questions are scored in groups, too."""
    return [_table(task, record) for task in record.tasks if task.group_scores]


def overall(task: TaskRecord) -> GroupScore | None:
    """The group score over all groups; None for a task that has none."""
    return next((score for score in task.group_scores if score.part == ALL), None)


def remark(task: TaskRecord) -> str:
    """What stands beside the accuracy of a task that is also scored in groups; "" for any other."""
    found = overall(task)
    if found is None:
        return ""
    sure = f" {interval(found.interval95)}" if found.interval95 else ""
    return f"group score {percent(found.score)}{sure} of {found.groups} groups of four questions"


def csv_lines(record: RunRecord) -> Iterator[dict[str, object]]:
    """The lines of `leaderboard.csv`: a group score's own in the column "accuracy"."""
    for task in record.tasks:
        if (found := overall(task)) is None:
            continue
        low, high = found.interval95 or (None, None)
        worst, best = found.bounds or (None, None)
        yield {
            "model": model_label(record),
            "frames": record.model.num_frames,
            "kind": "measured",
            "scoring": SCORING,
            "data": task.data,
            "benchmark": task.task,
            "accuracy": found.score,
            "interval95_low": low,
            "interval95_high": high,
            "n": found.groups,
            "coverage": task.score.coverage,
            "bound_low": worst,
            "bound_high": best,
            "complete": "yes" if record.complete else "partial",
            "source": "this run",
        }


def _table(task: TaskRecord, record: RunRecord) -> Table:
    rows = tuple(
        (
            score.part,
            percent(score.score),
            interval(score.interval95),
            percent(score.accuracy),
            str(score.groups),
            str(score.left_out),
            interval(score.bounds),
        )
        for score in task.group_scores
    )
    columns = ("groups", "group score", "95% interval", "accuracy %", "n", "left out", "bounds")
    left_out = any(score.left_out for score in task.group_scores)
    notes = ("Left out: groups of which a question was not asked or failed.",) if left_out else ()
    return Table(
        title=f"{task.title}, group score: {model_label(record)}, {task.data}",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns[1:]),
        notes=(f"{RULES} Accuracy: of the same questions.", *notes),
    )
