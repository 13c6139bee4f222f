"""The row that papers on efficient video models print of a model, from what a run measured and counted."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from sf_eval.core.errors import CheckpointError
from sf_eval.core.tables import ABSENT, Table, percent, scaled, seconds
from sf_eval.harness.record import RunRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.profiler.cost.family_question import family_model
from sf_eval.profiler.cost.question import shape_of
from sf_eval.profiler.cost.tokens import count_tokens
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.record import CommunityRecord, ComparedRun, ComparisonRecord

_COLUMNS = (
    "frames", "retained %", "visual tokens", "prefill TFLOPs", "ratio, LLM", "ratio, all", "TTFT", "tower",
    "other", "LLM", "tokens/s", "peak memory", "wall time", "samples/s",
)  # fmt: skip


def community_of(run: Finished) -> CommunityRecord | None:
    """What the run measured; None where no question was answered."""
    rows = [row for row in run.profile["flops"] if row["group"] == "all" and row["who"] == "model"]
    answered = [sample for sample in run.samples if sample.num_frames is not None and sample.timings]
    if not answered:
        return None
    flops = rows[0]["flops"] if rows else {}
    visual = _visual_tokens(answered)
    is_staged = visual is not None  # else the stages are not those of a tower and an LLM
    whole = _pooled_tokens(run.record, answered)
    alone = [sample for sample in answered if (sample.timings or {}).get("batch_size") == 1]
    return CommunityRecord(
        frames=statistics.fmean(sample.num_frames or 0 for sample in answered),
        visual_tokens=visual,
        all_visual_tokens=whole,
        retained=100 * visual / whole if whole and visual is not None else None,
        prefill_flops=flops.get("prefill_flops"),
        total_flops=flops.get("total_flops"),
        tower_s=_mean(answered, "vision_s") if is_staged else None,
        other_s=_mean(answered, "upload_s") if is_staged else None,
        llm_s=_mean(answered, "prefix_s", "prefill_s") if is_staged and len(alone) == len(answered) else None,
        tokens_per_s=_tokens_per_s(alone) if is_staged else None,
        peak_bytes=_peak(run.record) if is_staged else None,
        wall_s=None if run.record.resumed else run.record.seconds,
        samples_per_s=_samples_per_s(run.record, len(answered)),
    )


def community_table(record: ComparisonRecord) -> Table | None:
    """One row a run; ratios and "of ref. %" are to the first reference that is no
    control, else to the first run. None where nothing was measured."""
    if not any(run.community for run in record.runs):
        return None
    models = [run for run in record.runs[1:] if not run.is_control]
    reference = models[0] if models else record.runs[0]
    benchmarks = [column for column in record.benchmarks if column.in_mean]
    columns = ("model", *_COLUMNS, *(column.title for column in benchmarks), "mean %", "of ref. %")
    rows = tuple(
        (
            run.name,
            *_cells(run.community, reference.community),
            *(percent(_score(run, column.name)) for column in benchmarks),
            percent(None if run.mean is None else run.mean.value),
            percent(_relative(run, reference)),
        )
        for run in record.runs
    )
    return Table(
        title=f"As papers on efficient video models report: {record.data}",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns[1:]),
        notes=(
            f"Means over the questions. Ratios and the last column are to {reference.name}. Visual tokens: "
            "those in the LLM's prompt; retained: their share of the pooled tokens of all frames.",
            "Ratio, LLM: FLOPs of the LLM's prefill; ratio, all: end to end, with the vision tower on every "
            "frame and the new tokens.",
            "TTFT (time to first token) is tower + other (upload) + LLM (prefill), without decoding the "
            f"video; {ABSENT} where questions were asked in batches. Tower and other are a video's, "
            "undivided among its questions. Tokens/s: of one sequence. Where a "
            "model's visual tokens are not known, neither are these, nor its memory.",
        ),
    )


def _cells(own: CommunityRecord | None, reference: CommunityRecord | None) -> tuple[str, ...]:
    if own is None:
        return (ABSENT,) * len(_COLUMNS)
    first_token = None
    if own.tower_s is not None and own.other_s is not None and own.llm_s is not None:
        first_token = own.tower_s + own.other_s + own.llm_s
    return (
        f"{own.frames:.0f}",
        percent(own.retained),
        ABSENT if own.visual_tokens is None else f"{own.visual_tokens:.0f}",
        ABSENT if own.prefill_flops is None else f"{own.prefill_flops / 1e12:.3g}",
        _ratio(own.prefill_flops, reference.prefill_flops if reference else None),
        _ratio(own.total_flops, reference.total_flops if reference else None),
        *(seconds(value) for value in (first_token, own.tower_s, own.other_s, own.llm_s)),
        ABSENT if own.tokens_per_s is None else f"{own.tokens_per_s:.3g}",
        scaled(own.peak_bytes, "B"),
        seconds(own.wall_s),
        ABSENT if own.samples_per_s is None else f"{own.samples_per_s:.3g}",
    )


def _ratio(own: float | None, reference: float | None) -> str:
    return percent(100 * own / reference) + "%" if own is not None and reference else ABSENT


def _relative(run: ComparedRun, reference: ComparedRun) -> float | None:
    if run.mean is None or reference.mean is None or not reference.mean.value:
        return None
    return 100 * run.mean.value / reference.mean.value


def _score(run: ComparedRun, benchmark: str) -> float | None:
    return next((one.score.accuracy for one in run.scores if one.benchmark == benchmark), None)


def _visual_tokens(answered: Sequence[SampleRecord]) -> float | None:
    """In the prompts; None where of any question nobody knows them."""
    known = [sample.fast_tokens for sample in answered if sample.fast_tokens is not None]
    return statistics.fmean(known) if len(known) == len(answered) else None


def _pooled_tokens(record: RunRecord, answered: Sequence[SampleRecord]) -> float | None:
    """Of all frames shown; None for a model whose grid of tokens is not known."""
    if not record.model.closed_form:
        return _tower_tokens(record, answered)
    try:
        shape = shape_of(record.model.config)
    except CheckpointError:
        return None
    frames = [sample.num_frames or 0 for sample in answered]
    grids = {count: count_tokens(shape, count).pooled_grid for count in set(frames)}
    return statistics.fmean(count * grids[count] ** 2 for count in frames)


def _tower_tokens(record: RunRecord, answered: Sequence[SampleRecord]) -> float | None:
    """Of a model of another family: what its tower made of all frames."""
    model = family_model(record.model.config)
    if model is None or any(sample.num_frames and sample.visual_grid is None for sample in answered):
        return None
    grids = [sample.visual_grid for sample in answered]
    return statistics.fmean(0 if grid is None else model.all_tokens(grid) for grid in grids)


def _mean(answered: Sequence[SampleRecord], *stages: str) -> float:
    return statistics.fmean(sum((sample.timings or {})[stage] for stage in stages) for sample in answered)


def _tokens_per_s(alone: Sequence[SampleRecord]) -> float | None:
    """The prefill gives the first token, so decoding gives one less than there are."""
    decoded = [sample for sample in alone if (sample.new_tokens or 0) > 1]
    took = sum((sample.timings or {})["generate_s"] for sample in decoded)
    return sum((sample.new_tokens or 0) - 1 for sample in decoded) / took if took else None


def _peak(record: RunRecord) -> int | None:
    if record.memory is None:
        return None
    device = record.memory.device_allocated_peak_bytes
    return record.memory.process_peak_bytes if device is None else device


def _samples_per_s(record: RunRecord, answered: int) -> float | None:
    if record.resumed or record.seconds is None or record.seconds <= record.load_seconds:
        return None
    return answered / (record.seconds - record.load_seconds)
