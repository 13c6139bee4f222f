"""How a run's answers become outcomes, with what its folder holds of a judge; and as its records say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.harness.judged.judgements import JudgedTask
from sf_eval.harness.record import RunFacts
from sf_eval.scoring.lexicons import settling_of
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.settling import Settled, Settling


def settlings_of(facts: RunFacts, judged: Mapping[str, JudgedTask] | None = None) -> dict[str, Settling]:
    """How the answers of each task become outcomes, by the task's name.

    Args:
        judged: what a judge said, by task.

    Raises:
        DataError: what that takes (WordNet) is not here.
    """
    judged = judged or {}
    return {
        task.task: settling_of(
            catalog.get_benchmark(task.task),
            is_mini=task.is_mini,
            judgements=judged[task.task].by_row if task.task in judged else None,
        )
        for task in facts.planned
    }


def settled_fields(settled: Settled) -> dict[str, Any]:
    """What a `SampleRecord` says of how an answer was settled."""
    fields: dict[str, Any] = {"outcome": settled.outcome.value}
    if settled.reading is not None:
        reading = settled.reading
        return fields | {
            "answer": reading.letter,
            "answer_rule": None if reading.rule is None else reading.rule.value,
            "answer_frame": reading.frame.value,
            "output_truncated": reading.truncated,
        }
    said = None if settled.judgement is None else settled.judgement.said
    if settled.outcome is Outcome.judge_error:
        return fields | {"failure_reason": said}
    return fields | {"credit": settled.credit, "judge_said": said}
