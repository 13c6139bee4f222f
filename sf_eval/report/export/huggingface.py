"""Hugging Face: `.eval_results/*.yaml` of a model's repository, and the older model-index of its card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from sf_eval.core.errors import UsageError
from sf_eval.report.export.exported import Exported
from sf_eval.report.leaderboard import Entry
from sf_eval.report.settled import metric_of_all

_TASK_TYPE = "video-text-to-text"


def eval_results_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """One file a benchmark, as the Hub's leaderboards read them from a model's repository.

    Raises:
        UsageError: mini data, an untrained or altered model, or a run that is not of whole benchmarks: the
            Hub would show its numbers beside real ones.
    """
    if run.is_mini:
        raise UsageError(
            "hf-eval-results refuses the mini edition: the Hub would show it as the benchmark.",
            hint="Export it as model-index, csv or latex, which name it.",
        )
    if run.record.model.untrained:
        raise UsageError("hf-eval-results refuses untrained weights: their scores say nothing of any model.")
    if altered := run.alterations():
        raise UsageError(
            f"hf-eval-results refuses an altered model: {', '.join(altered)}. The Hub would show its "
            "scores as those of the weights as published.",
            hint="Export it as model-index, csv or latex, which name it.",
        )
    if gaps := run.gaps():
        raise UsageError(
            f"hf-eval-results refuses an incomplete run: {'; '.join(gaps)}.",
            hint="Run its command again to the end, without --limit.",
        )
    for entry in run.judged():
        yield f".eval_results/{entry.name}.yaml", _yaml([_result(run, entry)])


def model_index_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """The front matter of a model card; mini data and parts of a run are called so in every name."""
    results = [
        {
            "task": {"type": _TASK_TYPE},
            "dataset": _dataset(run, entry),
            "metrics": [_metric(run, entry)],
        }
        for entry in run.judged()
    ]
    index = {"model-index": [{"name": run.title, "results": results}]}
    yield run.file_name("model-index", "yaml"), _yaml(index)


def _metric(run: Exported, entry: Entry) -> dict[str, Any]:
    tasks = run.tasks_of(entry)
    kind, name = metric_of_all(tasks)
    settled = run.settled(entry)
    return {
        "type": kind,
        "value": entry.score.accuracy,
        "name": run.data_name(f"{name} on {entry.title}", tasks),
        **({"args": {"settled": settled}} if settled else {}),
    }


def _result(run: Exported, entry: Entry) -> dict[str, Any]:
    (task, *_) = run.tasks_of(entry)
    dataset = {"id": task.dataset, "task_id": entry.name}
    if task.revision is not None:
        dataset["revision"] = task.revision
    low, high = entry.score.interval95 or (None, None)
    settled = f"; {how}" if (how := run.settled(entry)) else ""
    sure = "" if low is None else f"; 95% interval [{low:.1f}, {high:.1f}]"
    return {
        "dataset": dataset,
        "value": entry.score.accuracy,
        "date": run.record.created,
        "notes": f"sf-eval {run.record.versions.get('sf-eval', '')}; {run.record.model.num_frames} frames; "
        f"n = {entry.score.n}{sure}{settled}",
    }


def _dataset(run: Exported, entry: Entry) -> dict[str, Any]:
    (task, *_) = run.tasks_of(entry)
    described: dict[str, Any] = {
        "name": run.data_name(entry.title, run.tasks_of(entry)),
        "type": run.data_id(task),
        "config": entry.name,
        "split": task.split,
    }
    if task.revision is not None:
        described["revision"] = task.revision
    return described


def _yaml(value: Any) -> bytes:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True).encode()
