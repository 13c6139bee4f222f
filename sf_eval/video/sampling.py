"""Which frames of a video are shown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sf_eval.video.family_sampling import family_indices
from sf_eval.video.types import SamplingRule

_SAME_TIME_S = 1e-6  # rounding of a time base must not push a frame out of the span it borders


def published_indices(
    total_frames: int, fps: float, *, num_frames: int, target_fps: float = 2.0
) -> list[int]:
    """The rule behind the published numbers: candidates at `target_fps`, thinned evenly to `num_frames`.

    Candidates are every `max(round(fps / target_fps), 1)`-th frame from frame 0. Where there are m
    candidates and m >= num_frames, candidate `round((i + 1) * m / num_frames - 1)` is taken for i = 0 ..
    num_frames - 1. Both roundings are Python's (ties to even). Source: the evaluation code shipped with
    the published checkpoints.

    Returns:
        Strictly increasing frame indices: [] for no frames, fewer than `num_frames` for a short video.
    """
    step = max(round(fps / target_fps), 1)
    candidates = range(0, total_frames, step)
    if len(candidates) < num_frames:
        return list(candidates)
    # The quotient comes first, as in the published code: the other order may round a tie to another frame.
    scale = len(candidates) / num_frames
    return [candidates[round((i + 1) * scale - 1)] for i in range(num_frames)]


def uniform_indices(total_frames: int, num_frames: int) -> list[int]:
    """`num_frames` indices evenly from the first to the last frame, rounded down; all if there are fewer."""
    count = min(total_frames, num_frames)
    return [int(index) for index in np.linspace(0, total_frames - 1, count, dtype=np.int64)]


def rule_indices(rule: SamplingRule, total_frames: int, fps: float) -> list[int]:
    """The indices that `rule` takes of `total_frames` frames at `fps`."""
    if rule.kind == "published":
        return published_indices(total_frames, fps, num_frames=rule.num_frames, target_fps=rule.target_fps)
    if rule.kind == "uniform":
        return uniform_indices(total_frames, rule.num_frames)
    return family_indices(rule, total_frames, fps)


def span_indices(times_s: Sequence[float], start_s: float | None, end_s: float | None) -> range:
    """The frames that are presented between `start_s` and `end_s`, both inclusive.

    A span between two frames gives the one on display at its start. An end behind the last frame means the
    last frame: annotations often round a duration up.

    Args:
        times_s: increasing presentation times in seconds since the file's start; none is negative.

    Raises:
        ValueError: a time that is negative or not finite, an end before the start, a start behind the end
            of the video (the last frame lasts as long as the one before it), or an end so long before the
            first frame (longer than that is shown) that nothing can be seen yet.
    """
    start = 0.0 if start_s is None else start_s
    end = times_s[-1] if end_s is None else end_s
    if not (math.isfinite(start) and math.isfinite(end)) or start < 0:
        raise ValueError(f"{start_s} s to {end_s} s is not a span of time")
    if end_s is not None and end < start:
        raise ValueError(f"the span ends at {end} s, before it starts at {start} s")
    last_lasts = times_s[-1] - times_s[-2] if len(times_s) > 1 else math.inf
    if start > times_s[-1] + last_lasts + _SAME_TIME_S:
        raise ValueError(f"the span starts at {start} s, but the last frame is shown at {times_s[-1]:.3f} s")
    first_lasts = times_s[1] - times_s[0] if len(times_s) > 1 else math.inf
    if end < times_s[0] - first_lasts - _SAME_TIME_S:
        raise ValueError(f"the span ends at {end} s, but the first frame is shown at {times_s[0]:.3f} s")
    first = int(np.searchsorted(times_s, start - _SAME_TIME_S, side="left"))
    behind = int(np.searchsorted(times_s, end + _SAME_TIME_S, side="right"))
    if behind <= first:
        on_display = max(int(np.searchsorted(times_s, start + _SAME_TIME_S, side="right")) - 1, 0)
        return range(on_display, on_display + 1)
    return range(first, behind)
