"""How cost and memory grow with the number of frames, for slow-fast and for self-attention only."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sf_eval.profiler.record import Growth, GrowthSeries, ProfileRow
from sf_eval.profiler.rows import Question, Subject, closed_form_row

GROWTH_FRAMES = (16, 32, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1280, 1536)
LAST = 4
"""Points that the order of growth "at the end" is fitted to."""

# quantity -> (unit, how to read it from a row)
QUANTITIES: dict[str, tuple[str, Callable[[ProfileRow], int]]] = {
    "vision and projector": ("flop", lambda row: row.vision_flops + row.projector_flops),
    "prefill": ("flop", lambda row: row.prefill_flops),
    "cross-attention": ("flop", lambda row: row.cross_attention_flops),
    "end to end": ("flop", lambda row: row.total_flops),
    "KV cache": ("byte", lambda row: row.kv_cache_bytes),
    "slow-token memory": ("byte", lambda row: row.slow_bytes),
}


def growth_of(
    subjects: Sequence[Subject], question: Question, frames: Sequence[int] = GROWTH_FRAMES
) -> Growth:
    """Every quantity of every subject over `frames`, with its fitted order of growth.

    A quantity that a subject does not have (cross-attention without a slow path) is left out.
    """
    series = []
    for subject in subjects:
        rows = [closed_form_row(subject, count, question) for count in frames]
        in_context = max((row.frames for row in rows if not row.exceeds_context), default=0)
        for quantity, (unit, read) in QUANTITIES.items():
            values = tuple(read(row) for row in rows)
            if any(values):
                series.append(
                    GrowthSeries(
                        model=subject.name,
                        quantity=quantity,
                        unit=unit,
                        values=values,
                        order=round(fitted_order(frames, values), 3),
                        order_at_end=round(fitted_order(frames[-LAST:], values[-LAST:]), 3),
                        frames_in_context=in_context,
                    )
                )
    return Growth(frames=tuple(frames), series=tuple(series))


def fitted_order(frames: Sequence[int], values: Sequence[int]) -> float:
    """Least-squares slope of log(value) over log(frames): k where the value grows like frames^k.

    0 where there are fewer than two points.
    """
    points = [
        (math.log(count), math.log(value)) for count, value in zip(frames, values, strict=True) if value > 0
    ]
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
