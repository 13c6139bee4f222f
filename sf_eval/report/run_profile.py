"""What a run cost: FLOPs from what was really asked, latency as measured, memory at its peak."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from sf_eval.core.tables import ABSENT, Table, scaled, seconds
from sf_eval.harness.record import MemoryRecord, RunRecord
from sf_eval.harness.recording import RunOutput
from sf_eval.profiler import format as fmt
from sf_eval.profiler.measured.stopwatch import supported_quantile
from sf_eval.report.answered import Answered, answered
from sf_eval.report.caveats import caveats
from sf_eval.report.leaderboard import data_label
from sf_eval.report.model_label import model_label
from sf_eval.report.run_costs import Costs, costs_of, is_counted
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
    columns = answered(output.samples, with_flops=is_counted(record))
    costs = costs_of(record, set(columns.asked))
    rows = [
        row
        for group, members in (_groups(record, columns) if costs else ())
        for row in _cost_rows(group, members, columns, costs or {})
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
        questions=len(columns),
        resumed=record.resumed,
        text_before_video=record.model.text_before_video,
        tokens=_tokens(columns),
        flops=rows,
        latency=_latency(columns),
        questions_per_video=statistics.fmean(columns.shared_by) if len(columns) else None,
        seconds=statistics.fmean(columns.seconds) if len(columns) else None,
        load_seconds=record.load_seconds,
        memory=record.memory,
    )


def cost_table(profile: RunProfile) -> Table:
    """FLOPs per question by part: the model, its baselines, and the ratio to the paper's baseline."""
    rows = {row.who: row.flops for row in profile.flops if row.group == "all"}
    if not rows:
        return Table(f"FLOPs per question: {profile.title}", ("part",), (), notes=(_why_no_flops(profile),))
    if "same_budget" not in rows:
        return _own_cost_table(profile, rows["model"])
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


def _own_cost_table(profile: RunProfile, model: FlopsRecord) -> Table:
    """FLOPs per question of a model that is its own baseline."""
    columns = ("part", "this model", "share")
    return Table(
        title=f"FLOPs per question: {profile.title}, {profile.data}",
        columns=columns,
        rows=tuple(
            (title, scaled(_part(model, part)), fmt.share(_part(model, part), model.total_flops))
            for part, title in PARTS.items()
        ),
        numeric=frozenset(columns[1:]),
        notes=(
            f"Mean over {profile.questions} questions, in closed form with the visual tokens that each was "
            f"shown, its prompt and new tokens. {profile.convention}.",
        ),
    )


def _why_no_flops(profile: RunProfile) -> str:
    return (
        "The FLOPs of these answers are not counted: of this kind of model, or of what it was shown."
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


def _groups(record: RunRecord, columns: Answered) -> Iterable[tuple[str, Sequence[int]]]:
    """The groups whose FLOPs are told, each with the numbers of its questions."""
    if not columns.asked:
        return
    yield "all", range(len(columns))
    for task in record.tasks:
        yield task.title, columns.members.get((task.task, "", ""), ())
        for category, value, members in columns.categories_of(task.task):
            yield f"{task.title}, {category} {value}", members


def _cost_rows(group: str, members: Sequence[int], columns: Answered, costs: Costs) -> Iterable[CostRecord]:
    if not members:
        return
    correct = sum(columns.correct[number] for number in members)
    alike = Counter(columns.asked[number] for number in members)
    for who in costs[columns.asked[members[0]]]:
        each = [(costs[asked][who], n) for asked, n in alike.items()]
        sums = {name: sum(getattr(cost, name) * n for cost, n in each) for name in vars(each[0][0])}
        per_correct = sums["total_flops"] / correct if correct and who == "model" else None
        yield CostRecord(
            group=group,
            who=who,
            questions=len(members),
            flops=FlopsRecord(**{name: value / len(members) for name, value in sums.items()}),
            flops_per_correct=per_correct,
            seconds=statistics.fmean(columns.seconds[number] for number in members)
            if who == "model"
            else None,
        )


def _tokens(columns: Answered) -> dict[TokenCount, RangeRecord]:
    """Mean, least and most of what the questions were made of."""
    return {
        name: RangeRecord(mean=statistics.fmean(values), min=min(values), max=max(values))
        for name, values in columns.tokens.items()
        if values
    }


def _latency(columns: Answered) -> dict[Stage, StageRecord]:
    return {
        stage: StageRecord(
            median=statistics.median(columns.stages[stage]),
            p90=supported_quantile(columns.stages[stage], 0.9),
            max=max(columns.stages[stage]),
            n=len(columns.stages[stage]),
        )
        for stage in STAGE_TITLES
        if columns.stages[stage]
    }


def _part(flops: FlopsRecord, part: str) -> float:
    value: float = getattr(flops, f"{part}_flops")
    return value


def _change(value: float, baseline: float) -> str:
    return fmt.change(value / baseline) if baseline else ABSENT
