"""What one run says in a few sentences: how much is right and how sure that is, at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sf_eval.benchmarks import catalog
from sf_eval.core.tables import interval, percent, scaled, seconds, times
from sf_eval.data.known_bad import known_bad
from sf_eval.harness.record import PublishedScoreRecord, RunRecord, ScoreRecord
from sf_eval.harness.recording import RunOutput
from sf_eval.report.caveats import is_mini
from sf_eval.report.leaderboard import Entry, entries
from sf_eval.report.model_label import model_label
from sf_eval.report.published import published_models
from sf_eval.report.run_profile_record import RunProfile
from sf_eval.report.settled import HOW_TO_JUDGE
from sf_eval.scoring.outcome import Outcome

MOST_NAMED = 3
"""So many benchmarks are named with their scores; of more the lowest and the highest are."""


def answer(output: RunOutput, profile: RunProfile) -> list[str]:
    """Sentences about the run; what failed comes before what it cost."""
    record = output.record
    return [
        _accuracy(record),
        *_not_judged(record),
        *_reported(record),
        *_failures(output),
        *_cost(profile),
    ]


def _accuracy(record: RunRecord) -> str:
    shown = [(entry, _score(entry, record)) for entry in entries(record, folded=True)]
    judged = [(entry, score) for entry, score in shown if score is not None and score.n]
    wups = {task.task for task in record.tasks if task.settled_by == "wups"}
    said = [
        (score.accuracy or 0.0, _right(entry.title, score, is_wups=entry.name in wups))
        for entry, score in judged
    ]
    label = model_label(record)
    if not judged:
        return f"{label}: no answer could be judged."
    if len(said) <= MOST_NAMED:
        return f"{label}: {', '.join(phrase for _, phrase in said)}."
    (_, lowest), *_, (_, highest) = sorted(said, key=lambda each: each[0])
    return f"{label}: on {len(said)} benchmarks, from {lowest} to {highest}."


def _score(entry: Entry, record: RunRecord) -> ScoreRecord | PublishedScoreRecord | None:
    """The score that `--scoring` puts first."""
    return entry.published if record.scoring == "published" else entry.score


def _right(title: str, score: ScoreRecord | PublishedScoreRecord, *, is_wups: bool) -> str:
    sure = f" {interval(score.interval95)}" if score.interval95 else ""
    if is_wups:
        return f"WUPS {percent(score.accuracy)} on {title}{sure}"
    return f"{percent(score.accuracy)}% of {title} right{sure}"


def _not_judged(record: RunRecord) -> Iterator[str]:
    """What only a judge can tell."""
    if waiting := [task for task in record.tasks if task.score.not_judged]:
        named = ", ".join(f"{task.score.not_judged} answers to {task.title}" for task in waiting)
        yield f"Not judged, and so in no score: {named} ({HOW_TO_JUDGE})."


def _reported(record: RunRecord) -> Iterator[str]:
    """What was published for this very model, where the data are the benchmark's own."""
    if is_mini(record) or not record.model.published or not record.conditions.is_plain:
        return
    of_this = [model for model in published_models() if model.key == record.model.published]
    columns = [entry for entry in entries(record, folded=True) if entry.column]
    told = [
        f"{percent(model.accuracies[entry.column])}% of {entry.title}"
        for model in of_this
        for entry in columns
        if entry.column is not None and model.accuracies.get(entry.column) is not None
    ]
    if told:
        yield f"Reported for this model: {', '.join(told)}."


def _failures(output: RunOutput) -> Iterator[str]:
    if not output.failed:
        return
    kinds: Counter[str] = Counter()
    for task in output.record.tasks:
        kinds.update(task.micro.failures)
    asked = sum(task.questions_asked for task in output.record.tasks)
    yield (
        f"{output.failed} of {asked} questions failed and are in no score "
        f"({', '.join(f'{count} {kind}' for kind, count in kinds.items())}): "
        f"coverage {100 * (1 - output.failed / asked):.1f}%.{_known(output)}"
    )


def _known(output: RunOutput) -> str:
    """How many damaged files others could not read either, and how many are not known to be so.

    Of a failure that older records tell no more of than that a video was not decoded, nothing is said unless
    the file is known: it may be a span that is not there, or a decoder that died.
    """
    known: set[tuple[str, str]] = set()
    others: set[tuple[str, str]] = set()
    for sample in output.samples:
        why = sample.video_error
        if sample.outcome != Outcome.decode_error.value or (why is not None and not why.is_damage):
            continue
        benchmark = catalog.get_benchmark(sample.task)
        video = (sample.change and sample.change.shown_video) or sample.video
        file = (benchmark.folder or benchmark.name, video)
        if known_bad(benchmark, video) is not None:
            known.add(file)
        elif why is not None:
            others.add(file)
    told = [f"{len(known)} known bad"] if known else []
    told += [f"{len(others)} not on the list (more likely damaged here)"] if others else []
    return f" Files that cannot be decoded: {', '.join(told)}." if told else ""


def _cost(profile: RunProfile) -> Iterator[str]:
    rows = {row.who: row for row in profile.flops if row.group == "all"}
    if "model" not in rows:
        if profile.seconds is not None:
            yield f"Per question {seconds(profile.seconds)}; its FLOPs are not counted."
        return
    own, budget = rows["model"], rows.get("same_budget")
    took = f" and {seconds(own.seconds)}" if own.seconds is not None else ""
    against = ""
    if budget is not None and budget.flops.total_flops and budget.flops.prefill_flops:
        against = (
            f": {times(own.flops.total_flops / budget.flops.total_flops)} the FLOPs of self-attention only "
            "on as many frames as this model has fast ones, in the LLM's prefill "
            f"{times(own.flops.prefill_flops / budget.flops.prefill_flops)}"
        )
    yield f"Per question {scaled(own.flops.total_flops, 'FLOP')} end to end{took}{against}."
