"""The file for a benchmark's evaluation server, where the truth is not public."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from sf_eval.benchmarks import catalog
from sf_eval.core import files
from sf_eval.harness.controls.published_order import published_letter_of
from sf_eval.harness.controls.record import ConditionsRecord
from sf_eval.harness.record import TaskFacts
from sf_eval.harness.recorded.samples import SampleRecord


def write_submission(
    task: TaskFacts,
    samples: Iterable[SampleRecord],
    folder: Path,
    *,
    conditions: ConditionsRecord,
    complete: bool,
) -> str | None:
    """Question to option index, as EgoSchema's evaluation server takes it; -1 where there is no answer.

    The index is that of the published order, whatever order was shown.

    Nothing is written for a task whose truth is public.

    The server knows a question by its video, since it has one question per video. Where the data has more,
    they are known by their own ids: no answer may take another's place.
    """
    if not catalog.get_benchmark(task.task).writes_submission:
        return None
    answers = {
        sample.video if task.one_question_per_video else sample.question_id: -1
        if sample.answer is None
        else ord(published_letter_of(sample.answer, sample.change)) - ord("A")
        for sample in samples
    }
    name = _submission_name(task, conditions, complete=complete)
    files.write_text(folder / name, json.dumps(answers, indent=1) + "\n")
    (folder / _submission_name(task, conditions, complete=not complete)).unlink(missing_ok=True)
    return name


def _submission_name(task: TaskFacts, conditions: ConditionsRecord, *, complete: bool) -> str:
    """The mini edition, a control and a part of a run are named, so that nobody submits them."""
    control = [conditions.control] if conditions.control else []
    options = ["options_shuffled"] if conditions.options == "shuffled" else []
    marks = [
        *(["mini_edition"] if task.is_mini else []),
        *control,
        *options,
        *([] if complete else ["partial"]),
    ]
    return f"{'_'.join(['submission', task.task, *marks])}.json"
