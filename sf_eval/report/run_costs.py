"""What each answered question of a run cost in closed form, by whatever kind of model it was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sf_eval.harness.record import RunRecord
from sf_eval.profiler import QuestionCost, compare_question
from sf_eval.profiler.cost.family_question import family_model
from sf_eval.report.answered import Asked
from sf_eval.report.run_profile_record import Who

Costs = Mapping[Asked, Mapping[Who, QuestionCost]]


def is_counted(record: RunRecord) -> bool:
    """Whether there is a closed form for the run's kind of model."""
    return record.model.closed_form or family_model(record.model.config) is not None


def costs_of(record: RunRecord, asked: Iterable[Asked]) -> Costs | None:
    """The costs of all that was asked; a slow-fast model's with its baselines beside it.

    None where one of them has none: a mean over the others would be another set's.
    """
    if record.model.closed_form:
        return {each: _slow_fast(record, each) for each in asked}
    model = family_model(record.model.config)
    if model is None:
        return None
    costs: dict[Asked, Mapping[Who, QuestionCost]] = {}
    for each in asked:
        if each.frames and each.grid is None:  # answered by an earlier version
            return None
        cost = model.cost(each.grid, each.visual_tokens, each.text_tokens, each.new_tokens)
        if cost is None:
            return None
        costs[each] = {"model": cost}
    return costs


def _slow_fast(record: RunRecord, asked: Asked) -> Mapping[Who, QuestionCost]:
    """What was really asked: the configuration says whether decoding steps read slow tokens."""
    compared = compare_question(
        record.model.config | {"slow_path": record.model.slow_path},
        asked.frames,
        asked.text_tokens,
        asked.new_tokens,
        text_before_video=record.model.text_before_video,
    )
    return {
        "model": compared.model,
        "same_budget": compared.same_budget,
        "same_frames": compared.same_frames,
    }
