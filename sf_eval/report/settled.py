"""What tables say of open answers: how they were settled, and that they were not judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sf_eval.core.tables import percent
from sf_eval.harness.record import ScoreRecord, TaskRecord
from sf_eval.scoring.outcome import Outcome

NOT_JUDGED = "not judged"
HOW_TO_JUDGE = "sf-eval score RUN --judge URL --judge-model NAME"
_DIGITS = 12  # of a prompt's digest, as tables show it


def score_cell(score: ScoreRecord) -> str:
    """Percent; where not every answer is judged, of how many ("100.0, 8 of 48 judged")."""
    if not score.not_judged:
        return percent(score.accuracy)
    if score.accuracy is None:
        return NOT_JUDGED
    answered = score.n + score.not_judged + score.failures.get(Outcome.judge_error.value, 0)
    return f"{percent(score.accuracy)}, {score.n} of {answered} judged"


def settled_by(task: TaskRecord) -> tuple[str, str] | None:
    """By whom or what its open answers were settled: scores are comparable only where this is the same.

    Returns:
        The judge's model and address, and the prompt's digest, or the lexicon; None where neither had a say.
    """
    if task.judge is not None:
        # One name at two addresses may be two models.
        return f"{task.judge.model} at {task.judge.base_url}", task.judge.prompt_digest
    return None if task.lexicon is None else (task.lexicon, "")


def metric_of(task: TaskRecord) -> tuple[str, str]:
    """The score's metric, for machines and for people."""
    return {
        "letter": ("accuracy", "Accuracy"),
        "match": ("exact_match", "Exact match"),
        "wups": ("wups", "WUPS"),
        "judge": ("judged_accuracy", "Judged accuracy"),
    }[task.settled_by]


def metric_of_all(tasks: Sequence[TaskRecord]) -> tuple[str, str]:
    """As `metric_of`, of a mean of several tasks, whose metrics may differ."""
    metrics = dict.fromkeys(map(metric_of, tasks))
    if len(metrics) == 1:
        return next(iter(metrics))
    return "mixed", f"Mean of {' and '.join(name for _, name in metrics)}"


def settled_notes(tasks: Iterable[TaskRecord]) -> Iterator[str]:
    """A sentence a task whose answers no letter settles: by what they were settled, or that they were not."""
    for task in tasks:
        if how := how_settled(task):
            yield f"{task.title}: {how}."


def how_settled(task: TaskRecord) -> str:
    """By what a task's open answers were settled, as a phrase; "" where letters did."""
    if task.settled_by == "match":
        return "open answers, right where they say the words of an accepted one (normalised)"
    if task.settled_by == "wups":
        return f"WUPS, the mean likeness of open answers to accepted ones, over {task.lexicon}"
    if task.settled_by == "letter":
        return ""
    unknown = task.micro.not_judged
    if task.judge is None:
        return f"not judged, only a judge can tell of its {unknown} open answers ({HOW_TO_JUDGE})"
    judge = task.judge
    told = (
        f"open answers, judged by {judge.model} at {judge.base_url} with the prompt {judge.prompt} "
        f"({judge.prompt_digest[:_DIGITS]})"
    )
    return f"{told}; {unknown} are not judged yet ({HOW_TO_JUDGE})" if unknown else told
