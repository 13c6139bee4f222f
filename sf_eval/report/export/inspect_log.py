"""inspect_ai's EvalLog (version 2), one a task, as `inspect view` opens it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from sf_eval.harness.record import ScoreRecord, TaskRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.report.export.exported import PARTIAL, Exported
from sf_eval.report.settled import metric_of
from sf_eval.scoring.outcome import Outcome

_SCORER = "sf_eval"
_VALUES = {Outcome.correct: "C", Outcome.wrong: "I", Outcome.no_answer: "N"}


def inspect_files(run: Exported) -> Iterator[tuple[str, bytes]]:
    """One log a task. A stopped run's status is "cancelled", as inspect has it; what failed is an error."""
    for task in run.record.tasks:
        samples = [sample for sample in run.samples if sample.task == task.task]
        log = _log(run, task, samples)
        yield run.file_name(task.task, "json"), (json.dumps(log, indent=2, allow_nan=False) + "\n").encode()


def _log(run: Exported, task: TaskRecord, samples: Sequence[SampleRecord]) -> dict[str, Any]:
    name = "-".join((task.task, *run.marks))
    model = f"sf-eval/{run.record.model.name}"
    return {
        "version": 2,
        "status": "success" if run.record.complete else "cancelled",
        "eval": {
            "eval_id": _id(run, task, "eval"),
            "run_id": _id(run, task, "run"),
            "task_id": _id(run, task, "task"),
            "created": run.record.created,
            "task": name,
            "task_version": 0,
            "task_display_name": run.data_name(task.title, [task]),
            "dataset": {
                "name": run.data_name(task.title, [task]),
                "location": run.data_id(task),
                "samples": task.questions_asked,
                "sample_ids": [sample.question_id for sample in samples],
                "shuffled": False,
            },
            "model": model,
            "model_generate_config": {"temperature": 0.0},
            "model_args": {"num_frames": run.record.model.num_frames, "dtype": run.record.model.dtype},
            "config": {"epochs": 1, "limit": task.questions_asked},
            "packages": run.record.versions,
            "metadata": {
                "data": run.record.data,
                "complete": run.record.complete,
                "caveats": run.caveats,
                "command": run.record.command,
            },
            **({"tags": list(run.marks)} if run.marks else {}),
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {
            "total_samples": task.questions_asked,
            "completed_samples": task.questions_asked - sum(task.micro.failures.values()),
            "scores": [_scores(task)],
        },
        "stats": {
            "started_at": run.record.created,
            "completed_at": "" if PARTIAL in run.marks else run.record.created,
            "model_usage": {},
        },
        "samples": [_sample(sample, model) for sample in samples],
    }


def _scores(task: TaskRecord) -> dict[str, Any]:
    return {
        "name": _SCORER,
        "scorer": _SCORER,
        "scored_samples": task.micro.n,
        "unscored_samples": task.questions_asked - task.micro.n,
        "params": {},
        "metrics": {
            **_metric(metric_of(task)[0], task.micro),
            **(_metric("headline", task.score) if task.mean_over else {}),
        },
    }


def _metric(name: str, score: ScoreRecord) -> dict[str, Any]:
    """A share from 0 to 1, as inspect has accuracies; none where nothing was judged."""
    if score.accuracy is None:
        return {}
    metric: dict[str, Any] = {"name": name, "value": score.accuracy / 100, "params": {}}
    if score.interval95 is not None:
        metric["metadata"] = {"interval95": [bound / 100 for bound in score.interval95]}
    return {name: metric}


def _sample(sample: SampleRecord, model: str) -> dict[str, Any]:
    outcome = Outcome(sample.outcome)
    asked = {
        "id": sample.question_id,
        "epoch": 1,
        "input": sample.prompt,
        "choices": list(sample.options.values()),
        "target": sample.target or list(sample.references) or "",
        "metadata": {
            "video": sample.video,
            "categories": sample.categories,
            "outcome": sample.outcome,
            "num_frames": sample.num_frames,
            "pixels_digest": sample.pixels_digest,
            "timings": sample.timings,
        },
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }
    user = {"role": "user", "content": sample.prompt}
    if sample.output is None:
        said = f"{sample.outcome}: {sample.failure_reason}"
        return {
            **asked,
            "messages": [user],
            "output": {"model": model, "choices": []},
            "error": {"message": said, "traceback": said, "traceback_ansi": said},
        }
    spoken = {"role": "assistant", "content": sample.output, "source": "generate", "model": model}
    stop = "max_tokens" if sample.finish_reason == "length" else "stop"
    score = {
        "value": _VALUES.get(outcome, "N") if sample.credit is None else sample.credit,
        "answer": sample.answer if sample.options else sample.output,
        "explanation": sample.outcome if sample.answer_rule is None else f"read by {sample.answer_rule}",
    }
    return {
        **asked,
        "messages": [user, spoken],
        "output": {"model": model, "choices": [{"message": spoken, "stop_reason": stop}]},
        **({"scores": {_SCORER: score}} if outcome.is_scored else {}),
    }


def _id(run: Exported, task: TaskRecord, of: str) -> str:
    """The same run gives the same ids."""
    said = f"{of} {run.record.created} {run.record.model.weights_digest} {task.task}"
    return hashlib.sha256(said.encode()).hexdigest()[:22]
