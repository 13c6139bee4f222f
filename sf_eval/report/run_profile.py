"""What a run cost: FLOPs from what was really asked, latency as measured, memory at its peak."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import get_args

from sf_eval.core.tables import ABSENT, Table, scaled, seconds
from sf_eval.harness.record import MemoryRecord, RunRecord, SampleRecord
from sf_eval.harness.recording import RunOutput
from sf_eval.profiler import QuestionComparison, QuestionCost, compare_question
from sf_eval.profiler import format as fmt
from sf_eval.profiler.measured.stopwatch import supported_quantile
from sf_eval.report.caveats import caveats
from sf_eval.report.leaderboard import data_label
from sf_eval.report.model_label import model_label
from sf_eval.report.run_profile_record import (
    CostRecord,
    FlopsRecord,
    RangeRecord,
    RunProfile,
    Stage,
    StageRecord,
    TokenCount,
    Who,
)

CONVENTION = "FLOP = 2 multiply-adds; causal self-attention halved"
DECODE = {
    "cached": "with the slow tokens' keys and values cached",
    "without": "without slow tokens (--published-decoding)",
}
STAGE_TITLES: dict[Stage, str] = {
    "decode_s": "decode the video",
    "preprocess_s": "resize and normalise",
    "upload_s": "upload",
    "vision_s": "vision tower and projector",
    "prefix_s": "prefill of the shared prefix",
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
WHO: dict[Who, str] = {
    "model": "this model",
    "same_budget": "self-attention only, as many frames as fast frames",
    "same_frames": "self-attention only, the same frames",
}


def build(output: RunOutput) -> RunProfile:
    """`profile.json`; the schema is in docs/schemas/run_profile.md."""
    record = output.record
    answered = [sample for sample in output.samples if sample.num_frames is not None]
    before = record.model.text_before_video
    counted = answered if record.model.closed_form else []
    costs = {id(sample): _cost(output, sample, before) for sample in counted}
    rows = [
        row
        for group, members in _groups(record, counted)
        for row in _cost_rows(group, members, [costs[id(sample)] for sample in members])
    ]
    return RunProfile(
        model=record.model.name,
        title=model_label(record),
        data=data_label(record),
        convention=CONVENTION,
        decode="cached" if record.model.decode_slow_attention else "without",
        caveats=caveats(record),
        machine=record.machine,
        dtype=record.model.dtype,
        attn=record.model.attn,
        batch_size=record.settings["batch_size"],
        questions=len(answered),
        resumed=record.resumed,
        text_before_video=before,
        tokens=_tokens(answered),
        flops=rows,
        latency=_latency(answered),
        questions_per_video=statistics.fmean(_shared_by(sample) for sample in answered) if answered else None,
        seconds=_mean_seconds(answered) if answered else None,
        load_seconds=record.load_seconds,
        memory=record.memory,
    )


def cost_table(profile: RunProfile) -> Table:
    """FLOPs per question by part: the model, its baselines, and the ratio to the paper's baseline."""
    rows = {row.who: row.flops for row in profile.flops if row.group == "all"}
    if not rows:
        return Table(f"FLOPs per question: {profile.title}", ("part",), (), notes=(_why_no_flops(profile),))
    model, budget, same = rows["model"], rows["same_budget"], rows["same_frames"]
    lines = tuple(
        (
            title,
            scaled(_part(model, part)),
            fmt.share(_part(model, part), model.total_flops),
            scaled(_part(budget, part)),
            scaled(_part(same, part)),
            _change(_part(model, part), _part(budget, part)),
        )
        for part, title in PARTS.items()
    )
    columns = ("part", "this model", "share", "A", "B", "change from A")
    return Table(
        title=f"FLOPs per question: {profile.title}, {profile.data}",
        columns=columns,
        rows=lines,
        numeric=frozenset(columns[1:]),
        notes=(
            f"Mean over {profile.questions} questions, in closed form with their measured frames, "
            f"prompt and new tokens. {profile.convention}; decoding {DECODE[profile.decode]}.",
            f"A: {WHO['same_budget']}. B: {WHO['same_frames']}.",
        ),
    )


def _why_no_flops(profile: RunProfile) -> str:
    return (
        "The FLOPs of this kind of model are not counted."
        if profile.questions
        else "No question was answered."
    )


def group_table(profile: RunProfile) -> Table:
    """The model's own FLOPs by benchmark and duration group, and per correct answer."""
    rows = tuple(
        (
            row.group,
            str(row.questions),
            scaled(row.flops.total_flops),
            scaled(row.flops_per_correct),
        )
        for row in profile.flops
        if row.who == "model"
    )
    return Table(
        title=f"FLOPs by group: {profile.title}, {profile.data}",
        columns=("group", "questions", "per question", "per correct answer"),
        rows=rows,
        numeric=frozenset({"questions", "per question", "per correct answer"}),
    )


def latency_table(profile: RunProfile) -> Table:
    """Measured seconds per stage; a p90 only where there are questions enough for one."""
    has_p90 = any(values.p90 is not None for values in profile.latency.values())
    rows = tuple(
        (
            _stage_title(stage, profile),
            seconds(values.median),
            *([seconds(values.p90)] if has_p90 else []),
            seconds(values.max),
            str(values.n),
        )
        for stage, values in profile.latency.items()
    )
    where = profile.machine.get("gpu") or profile.machine["processor"]
    columns = ("stage", "median", *(["p90"] if has_p90 else []), "max", "n")
    return Table(
        title=f"Measured latency per question: {profile.title}, {profile.data}",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns[1:]),
        notes=(
            f"{where}, {profile.dtype}, {profile.attn}, batch size {profile.batch_size}; "
            "prefill and token decoding are times of a whole batch.",
            *_sharing_note(profile),
            *_resumed_note(profile),
            f"Peak memory: {_peak(profile.memory)}. Loading the model took {seconds(profile.load_seconds)}.",
        ),
    )


def _stage_title(stage: Stage, profile: RunProfile) -> str:
    """Of an endpoint and the generic family nobody knows what part of the time is a tower's."""
    if stage == "vision_s" and "fast_tokens" not in profile.tokens:
        return "make the video ready for the model"
    return STAGE_TITLES[stage]


def _peak(memory: MemoryRecord | None) -> str:
    if memory is None:
        return "not measured"
    device = memory.device_allocated_peak_bytes
    on_device = scaled(device, "B") if device is not None else "not measured (CPU)"
    return f"process {scaled(memory.process_peak_bytes, 'B')}, device {on_device}"


def _sharing_note(profile: RunProfile) -> list[str]:
    """Who compares latencies must know which of them several questions share."""
    if profile.questions_per_video is None or profile.questions_per_video == 1:
        return []
    return [
        "Down to the shared prefix these are times of a video, spent once for "
        f"{profile.questions_per_video:.1f} of its questions in the mean (--share off: once for each)."
    ]


def _resumed_note(profile: RunProfile) -> list[str]:
    """Answers taken from the journal keep the times they took then, perhaps on another machine."""
    if not profile.resumed:
        return []
    return [f"{profile.resumed} of the answers are an earlier process's, and so are their times."]


def _cost(output: RunOutput, sample: SampleRecord, text_before_video: int) -> QuestionComparison:
    """What was really asked: the configuration says whether decoding steps read slow tokens."""
    assert sample.num_frames is not None
    assert sample.prompt_tokens is not None
    assert sample.fast_tokens is not None
    assert sample.new_tokens is not None
    return compare_question(
        output.record.model.config | {"slow_path": output.record.model.slow_path},
        sample.num_frames,
        sample.prompt_tokens - sample.fast_tokens,
        sample.new_tokens,
        text_before_video=text_before_video,
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
) -> Iterable[CostRecord]:
    if not members:
        return
    correct = sum(sample.outcome == "correct" for sample in members)
    for who in WHO:
        each: list[QuestionCost] = [getattr(cost, who) for cost in costs]
        sums = {name: sum(getattr(cost, name) for cost in each) for name in vars(each[0])}
        per_correct = sums["total_flops"] / correct if correct and who == "model" else None
        yield CostRecord(
            group=group,
            who=who,
            questions=len(members),
            flops=FlopsRecord(**{name: value / len(members) for name, value in sums.items()}),
            flops_per_correct=per_correct,
            seconds=_mean_seconds(members) if who == "model" else None,
        )


def _tokens(answered: Sequence[SampleRecord]) -> dict[TokenCount, RangeRecord]:
    """Mean, least and most of what the questions were made of."""
    described: dict[TokenCount, RangeRecord] = {}
    for name in get_args(TokenCount):
        values = [value for sample in answered if (value := getattr(sample, name)) is not None]
        if values:
            described[name] = RangeRecord(mean=statistics.fmean(values), min=min(values), max=max(values))
    return described


def _latency(answered: Sequence[SampleRecord]) -> dict[Stage, StageRecord]:
    described: dict[Stage, StageRecord] = {}
    for stage in STAGE_TITLES:
        values = [sample.timings[stage] for sample in answered if sample.timings]
        if values:
            described[stage] = StageRecord(
                median=statistics.median(values),
                p90=supported_quantile(values, 0.9),
                max=max(values),
                n=len(values),
            )
    return described


def _part(flops: FlopsRecord, part: str) -> float:
    value: float = getattr(flops, f"{part}_flops")
    return value


def _change(value: float, baseline: float) -> str:
    return fmt.change(value / baseline) if baseline else ABSENT


def _mean_seconds(members: Sequence[SampleRecord]) -> float:
    return statistics.fmean(_seconds(sample.timings or {}) for sample in members)


def _seconds(timings: dict[str, float]) -> float:
    """As `StageTimings.per_question_s`."""
    whole = ("decode_s", "preprocess_s", "upload_s", "vision_s", "prefix_s")
    video = sum(timings[stage] for stage in whole) / timings["shared_by"]
    return video + (timings["prefill_s"] + timings["generate_s"]) / timings["batch_size"]


def _shared_by(sample: SampleRecord) -> float:
    return (sample.timings or {}).get("shared_by", 1)
