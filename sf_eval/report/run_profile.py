"""What a run cost: FLOPs from what was really asked, latency as measured, memory at its peak."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sf_eval.core.tables import ABSENT, Table, scaled, seconds
from sf_eval.harness.record import RunRecord, SampleRecord
from sf_eval.harness.recording import RunOutput
from sf_eval.profiler import QuestionComparison, QuestionCost, compare_question
from sf_eval.profiler.measured.stopwatch import quantile
from sf_eval.report.leaderboard import caveats, data_label, model_label

SCHEMA = 1
CONVENTION = "FLOP = 2 multiply-adds; causal self-attention halved"
STAGES = ("decode_s", "preprocess_s", "upload_s", "vision_s", "prefill_s", "generate_s")
STAGE_TITLES = {
    "decode_s": "decode the video",
    "preprocess_s": "resize and normalise",
    "upload_s": "upload",
    "vision_s": "vision tower and projector",
    "prefill_s": "prefill (to the first token)",
    "generate_s": "decode tokens",
}
PARTS = {
    "vision": "vision tower",
    "projector": "projector",
    "pooling": "pooling",
    "prefill": "prefill",
    "cross_attention": "  of it cross-attention",
    "decode": "decode tokens",
    "total": "total",
}
WHO = {
    "model": "this model",
    "same_budget": "self-attention only, as many frames as fast frames",
    "same_frames": "self-attention only, the same frames",
}


@dataclass(frozen=True)
class CostRow:
    """Mean FLOPs of a question for one model over one group of answered questions.

    Attributes:
        seconds: mean measured time of a question, a batch's prefill and decoding divided among its samples;
            None for baselines, which were not run.
    """

    group: str
    who: str
    questions: int
    flops: dict[str, float]
    flops_per_correct: float | None
    seconds: float | None


def build(output: RunOutput) -> dict[str, Any]:
    """`profile.json`; the schema is in docs/schemas/run_profile.md."""
    answered = [sample for sample in output.samples if sample.num_frames is not None]
    costs = {id(sample): _cost(output, sample) for sample in answered}
    rows = [
        row
        for group, members in _groups(output.record, answered)
        for row in _cost_rows(group, members, [costs[id(sample)] for sample in members])
    ]
    return {
        "schema_version": SCHEMA,
        "model": output.record.model.name,
        "title": model_label(output.record),
        "data": data_label(output.record),
        "convention": CONVENTION,
        "caveats": caveats(output.record),
        "machine": output.record.machine,
        "dtype": output.record.model.dtype,
        "attn": output.record.model.attn,
        "batch_size": output.record.settings["batch_size"],
        "questions": len(answered),
        "resumed": output.record.resumed,
        "tokens": _tokens(answered),
        "flops": [asdict(row) for row in rows],
        "latency": _latency(answered),
        "load_seconds": output.record.load_seconds,
        "memory": None if output.record.memory is None else output.record.memory.model_dump(),
    }


def cost_table(profile: dict[str, Any]) -> Table:
    """FLOPs of a question by part: the model, its baselines, and the ratio to the paper's baseline."""
    rows = {row["who"]: row["flops"] for row in profile["flops"] if row["group"] == "all"}
    if not rows:
        return Table(
            f"FLOPs of a question: {profile['title']}", ("part",), (), notes=("No question was answered.",)
        )
    model, budget, same = rows["model"], rows["same_budget"], rows["same_frames"]
    lines = tuple(
        (
            title,
            scaled(model[f"{part}_flops"]),
            f"{100 * model[f'{part}_flops'] / model['total_flops']:.1f}",
            scaled(budget[f"{part}_flops"]),
            scaled(same[f"{part}_flops"]),
            _ratio(model[f"{part}_flops"], budget[f"{part}_flops"]),
        )
        for part, title in PARTS.items()
    )
    columns = ("part", "this model", "share %", "A", "B", "ratio to A")
    return Table(
        title=f"FLOPs of a question: {profile['title']}, {profile['data']}",
        columns=columns,
        rows=lines,
        numeric=frozenset(columns[1:]),
        notes=(
            f"Mean over {profile['questions']} questions, in closed form with their measured frames, "
            f"prompt and new tokens. {profile['convention']}.",
            f"A: {WHO['same_budget']}. B: {WHO['same_frames']}.",
        ),
    )


def group_table(profile: dict[str, Any]) -> Table:
    """The model's own FLOPs by benchmark and duration group, and per correct answer."""
    rows = tuple(
        (
            row["group"],
            str(row["questions"]),
            scaled(row["flops"]["total_flops"]),
            scaled(row["flops_per_correct"]),
        )
        for row in profile["flops"]
        if row["who"] == "model"
    )
    return Table(
        title=f"FLOPs by group: {profile['title']}, {profile['data']}",
        columns=("group", "questions", "per question", "per correct answer"),
        rows=rows,
        numeric=frozenset({"questions", "per question", "per correct answer"}),
    )


def latency_table(profile: dict[str, Any]) -> Table:
    """Measured seconds a stage."""
    rows = tuple(
        (
            STAGE_TITLES[stage],
            seconds(values["median"]),
            seconds(values["p90"]),
            seconds(values["max"]),
            str(values["n"]),
        )
        for stage, values in profile["latency"].items()
        if stage in STAGE_TITLES
    )
    memory = profile["memory"]
    device = memory["device_allocated_peak_bytes"]
    machine = profile["machine"]
    where = machine.get("gpu") or machine["processor"]
    return Table(
        title=f"Measured latency of a question: {profile['title']}, {profile['data']}",
        columns=("stage", "median", "p90", "max", "n"),
        rows=rows,
        numeric=frozenset({"median", "p90", "max", "n"}),
        notes=(
            f"{where}, {profile['dtype']}, {profile['attn']}, batch size {profile['batch_size']}; "
            "prefill and token decoding are times of a whole batch.",
            *_resumed_note(profile),
            f"Peak memory: process {scaled(memory['process_peak_bytes'], 'B')}, device "
            f"{scaled(device, 'B') if device is not None else 'not measured (CPU)'}. "
            f"Loading the model took {seconds(profile['load_seconds'])}.",
        ),
    )


def _resumed_note(profile: dict[str, Any]) -> list[str]:
    """Answers taken from the journal keep the times they took then, perhaps on another machine."""
    if not profile["resumed"]:
        return []
    return [f"{profile['resumed']} of the answers are an earlier process's, and so are their times."]


def _cost(output: RunOutput, sample: SampleRecord) -> QuestionComparison:
    assert sample.num_frames is not None
    assert sample.prompt_tokens is not None
    assert sample.fast_tokens is not None
    assert sample.new_tokens is not None
    return compare_question(
        output.record.model.config | {"slow_path": output.record.model.slow_path},
        sample.num_frames,
        sample.prompt_tokens - sample.fast_tokens,
        sample.new_tokens,
    )


def _groups(record: RunRecord, answered: Sequence[SampleRecord]) -> Iterable[tuple[str, list[SampleRecord]]]:
    yield "all", list(answered)
    for task in record.tasks:
        members = [sample for sample in answered if sample.task == task.task]
        yield task.title, members
        for key in ("duration", "duration_group"):
            for value in dict.fromkeys(
                sample.categories[key] for sample in members if key in sample.categories
            ):
                yield f"{task.title}, {key} {value}", [s for s in members if s.categories.get(key) == value]


def _cost_rows(
    group: str, members: Sequence[SampleRecord], costs: Sequence[QuestionComparison]
) -> Iterable[CostRow]:
    if not members:
        return
    correct = sum(sample.outcome == "correct" for sample in members)
    for who in WHO:
        each: list[QuestionCost] = [getattr(cost, who) for cost in costs]
        sums = {name: sum(getattr(cost, name) for cost in each) for name in vars(each[0])}
        per_correct = sums["total_flops"] / correct if correct and who == "model" else None
        yield CostRow(
            group=group,
            who=who,
            questions=len(members),
            flops={name: value / len(members) for name, value in sums.items()},
            flops_per_correct=per_correct,
            seconds=_mean_seconds(members) if who == "model" else None,
        )


def _tokens(answered: Sequence[SampleRecord]) -> dict[str, Any]:
    """Mean, least and most of what the questions were made of."""
    names = ("num_frames", "prompt_tokens", "fast_tokens", "slow_tokens", "new_tokens")
    described = {}
    for name in names:
        values = [getattr(sample, name) for sample in answered]
        if values:
            described[name] = {"mean": statistics.fmean(values), "min": min(values), "max": max(values)}
    return described


def _latency(answered: Sequence[SampleRecord]) -> dict[str, dict[str, float]]:
    described = {}
    for stage in STAGES:
        values = sorted(sample.timings[stage] for sample in answered if sample.timings)
        if values:
            described[stage] = {
                "median": statistics.median(values),
                "p90": quantile(values, 0.9),
                "max": values[-1],
                "n": len(values),
            }
    return described


def _ratio(value: float, baseline: float) -> str:
    return f"{value / baseline:.3f}" if baseline else ABSENT


def _mean_seconds(members: Sequence[SampleRecord]) -> float:
    return statistics.fmean(_seconds(sample.timings or {}) for sample in members)


def _seconds(timings: dict[str, float]) -> float:
    own = sum(timings[stage] for stage in ("decode_s", "preprocess_s", "upload_s", "vision_s"))
    return own + (timings["prefill_s"] + timings["generate_s"]) / timings["batch_size"]
