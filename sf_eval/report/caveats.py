"""What a reader must know before quoting a number of a run."""

from __future__ import annotations

from collections.abc import Iterator

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import RunRecord, ScoreRecord
from sf_eval.report.conditions import condition_notes
from sf_eval.report.means import made_of, parts, without
from sf_eval.report.settled import settled_notes


def is_mini(record: RunRecord) -> bool:
    return any(task.is_mini for task in record.planned)


def caveats(record: RunRecord) -> list[str]:
    """What a reader must know before quoting a number of this run."""
    notes = []
    if not record.complete:
        notes.append("The run was stopped before its end: only what was answered until then is counted.")
    if is_mini(record):
        notes.append(f"{record.data}: synthetic questions in the real format, not the benchmark itself.")
    if record.model.untrained:
        notes.append(
            "The model's weights are untrained (seeded at random): its scores say nothing of any real model."
        )
    notes.extend(condition_notes(record))
    notes.extend(_size_notes(record))
    notes.extend(_unanswered_notes(record))
    notes.extend(settled_notes(record.tasks))
    if not record.model.decode_slow_attention:
        notes.append("Response tokens did not see slow tokens, as in the published code.")
    notes.extend(record.notes)
    return notes


def _size_notes(record: RunRecord) -> Iterator[str]:
    """Questions that were not asked, and annotations that are not the benchmark's."""
    counts: dict[str, tuple[int, int]] = {}  # a group's subtasks together
    for task in record.tasks:
        group = catalog.get_benchmark(task.task).group
        title = task.title if group is None else group.title
        asked, total = counts.get(title, (0, 0))
        counts[title] = (asked + task.questions_asked, total + task.questions_total)
    limited = [f"{title} {asked} of {total}" for title, (asked, total) in counts.items() if asked < total]
    if limited:
        yield f"Not all questions were asked: {', '.join(limited)}."
    for task in record.tasks:
        expected = catalog.get_benchmark(task.task).expected_questions
        if not is_mini(record) and expected is not None and task.questions_total != expected:
            yield f"{task.title}: the data has {task.questions_total} questions, the benchmark {expected}."


def _unanswered_notes(record: RunRecord) -> Iterator[str]:
    """What is missing in a mean, since it was not asked, or nothing of it was answered."""
    titles = {task.task: task.title for task in record.tasks}
    for group in record.groups:
        if group.unanswered:
            yield _unanswered(group.title, [titles[task] for task in group.unanswered], group.score)
        elif without(group):
            yield f"{group.title} is a mean of {made_of([group])}: not comparable with a mean of all."
    for task in record.tasks:
        if task.score.lacks_parts:
            category = task.mean_over
            empty = [part.value for part in task.breakdown if part.category == category and not part.score.n]
            yield _unanswered(task.title, empty, task.score)


def _unanswered(title: str, names: list[str], score: ScoreRecord) -> str:
    return (
        f"{title} is a mean of {parts(score)}, since no question of {', '.join(names)} has a judged answer: "
        "not comparable with a mean of all."
    )
