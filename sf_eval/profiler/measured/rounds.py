"""What the rounds of a measurement say: samples, rates and ratios as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.pipeline import Ask
from sf_eval.profiler.measured.stages import FROM_FILE, STAGES, stages_of
from sf_eval.profiler.measured.stopwatch import Samples, paired_ratio
from sf_eval.profiler.measured.work import Work

_NO_VIDEO = "PyAV is not installed and no --video was given: nothing can be decoded here"
_NO_STEP = "one new token comes from the prefill alone: ask for --new-tokens 2 or more"


@dataclass
class Series:
    """Values of one ask, growing from round to round."""

    ask: Ask
    seconds: dict[str, list[float]] = field(default_factory=dict)
    memory: dict[str, int | None] = field(default_factory=dict)

    def add(self, stage: str, value: float) -> None:
        self.seconds.setdefault(stage, []).append(value)

    def at_most(self, kind: str, value: int | None) -> None:
        """Memory of one round; the largest is kept, and None where there is no GPU to ask."""
        before = self.memory.get(kind)
        self.memory[kind] = value if value is None or before is None else max(before, value)


def run_record(series: Series, work: Mapping[str, Work], peak: hardware.Peak) -> dict[str, Any]:
    """One run: every stage's samples, what was not measured and why, memory, achieved rates."""
    ask = series.ask
    stages: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for stage in stages_of(shared=ask.shared):
        if values := series.seconds.get(stage):
            stages[stage] = Samples(tuple(values)).to_json()
        else:
            missing[stage] = _NO_VIDEO if stage in FROM_FILE else _NO_STEP
    return {
        "model": ask.subject.name,
        "frames": ask.frames,
        "batch_size": ask.batch_size,
        "shared": ask.shared,
        "videos": ask.videos,
        "exceeds_context": ask.beyond_context,
        "text_tokens": ask.prompt_tokens,
        "new_tokens": ask.new_tokens,
        "end_to_end_from": "file" if ask.video is not None else "frames in memory",
        "stages": stages,
        "not_measured": missing,
        "memory": series.memory,
        "achieved": _achieved(series, work, peak),
    }


def _achieved(series: Series, work: Mapping[str, Work], peak: hardware.Peak) -> dict[str, Any]:
    """FLOP/s and bytes a second of the stages whose work is known, and shares of the peaks (MFU, MBU)."""
    achieved = {}
    for stage, done in work.items():
        if stage in series.seconds:
            median = Samples(tuple(series.seconds[stage])).median
            rate, moved = done.flops / median, done.least_bytes / median
            achieved[stage] = {
                "flops": done.flops,
                "flops_per_s": rate,
                "share_of_measured_peak": rate / peak.measured_flops,
                "share_of_data_sheet": rate / peak.sheet_flops if peak.sheet_flops else None,
                "least_bytes": done.least_bytes,
                "bytes_per_s": moved,
                "share_of_measured_bandwidth": moved / peak.measured_bytes,
            }
    return achieved


def ratio_records(models: Sequence[Series], others: Sequence[Series]) -> list[dict[str, Any]]:
    """The model at each number of frames against each other subject, stage by stage, paired by round; and
    with a shared video against a video for each question."""
    alike = [pair for pair in product(models, others) if pair[0].ask.shared == pair[1].ask.shared]
    apart = [series for series in (*models, *others) if not series.ask.shared]
    joined = [series for series in (*models, *others) if series.ask.shared]
    same = [
        (one, other)
        for one, other in product(joined, apart)
        if (one.ask.subject, one.ask.frames) == (other.ask.subject, other.ask.frames)
    ]
    return [
        {
            "stage": stage,
            "model": one.ask.subject.name,
            "frames": one.ask.frames,
            "against": other.ask.subject.name,
            "against_frames": other.ask.frames,
            "batch_size": one.ask.batch_size,
            "shared": one.ask.shared,
            "against_shared": other.ask.shared,
            **asdict(paired_ratio(one.seconds[stage], other.seconds[stage])),
        }
        for one, other in (*alike, *same)
        for stage in STAGES
        if stage in one.seconds and stage in other.seconds
    ]
