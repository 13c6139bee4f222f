"""What the rounds of a measurement say: samples, rates and ratios as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Any

from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.pipeline import Ask
from sf_eval.profiler.measured.stopwatch import Samples, paired_ratio
from sf_eval.profiler.rows import Question, closed_form_row

STAGES = (
    "video decode",
    "resize",
    "upload",
    "vision",
    "prefill (TTFT from cached features)",
    "TTFT from file",
    "new token (TPOT)",
    "end to end",
)
"""In the order of the work; the last of each kind is measured without instruments inside."""

_FROM_FILE = ("video decode", "TTFT from file")
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


def run_record(series: Series, question: Question, peak: hardware.Peak) -> dict[str, Any]:
    """One run: every stage's samples, what was not measured and why, memory, achieved rates."""
    ask = series.ask
    stages: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for stage in STAGES:
        if values := series.seconds.get(stage):
            stages[stage] = Samples(tuple(values)).to_json()
        else:
            missing[stage] = _NO_VIDEO if stage in _FROM_FILE else _NO_STEP
    return {
        "model": ask.subject.name,
        "frames": ask.frames,
        "batch_size": ask.batch_size,
        "text_tokens": ask.prompt_tokens,
        "new_tokens": ask.new_tokens,
        "end_to_end_from": "file" if ask.video is not None else "frames in memory",
        "stages": stages,
        "not_measured": missing,
        "memory": series.memory,
        "achieved": _achieved(series, question, peak),
    }


def _achieved(series: Series, question: Question, peak: hardware.Peak) -> dict[str, Any]:
    """FLOP/s of the stages whose FLOPs are known, by the profile's convention, and share of the peak."""
    ask = series.ask
    row = closed_form_row(ask.subject, ask.frames, question.with_batch(ask.batch_size))
    work = {
        "vision": row.vision_flops + row.projector_flops + row.pooling_flops,
        "prefill (TTFT from cached features)": row.prefill_flops,
        "new token (TPOT)": row.decode_flops // max(ask.new_tokens - 1, 1),
    }
    achieved = {}
    for stage, flops in work.items():
        if stage in series.seconds:
            rate = flops / Samples(tuple(series.seconds[stage])).median
            achieved[stage] = {
                "flops": flops,
                "flops_per_s": rate,
                "share_of_measured_peak": rate / peak.measured_flops,
                "share_of_data_sheet": rate / peak.sheet_flops if peak.sheet_flops else None,
            }
    return achieved


def ratio_records(models: Sequence[Series], others: Sequence[Series]) -> list[dict[str, Any]]:
    """The model at each number of frames against each other subject, stage by stage, paired by round."""
    found = []
    for model, other in product(models, others):
        for stage in STAGES:
            if stage in model.seconds and stage in other.seconds:
                ratio = paired_ratio(model.seconds[stage], other.seconds[stage])
                found.append(
                    {
                        "stage": stage,
                        "model": model.ask.subject.name,
                        "frames": model.ask.frames,
                        "against": other.ask.subject.name,
                        "against_frames": other.ask.frames,
                        "batch_size": model.ask.batch_size,
                        **asdict(ratio),
                    }
                )
    return found
