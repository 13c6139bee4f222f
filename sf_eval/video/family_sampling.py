"""Which frames the video processors of transformers take: each rule as their `sample_frames` has it.

A video with fewer frames than wanted shows all of them, where those processors raise an error. Places are
worked out in double precision; torch's own single precision puts a rare one a frame later, and which depends
on the machine.
"""

from __future__ import annotations

import math

import numpy as np

from sf_eval.video.types import SamplingRule

_PAIR = 2  # Qwen2.5-VL merges two frames into one


def family_indices(rule: SamplingRule, total_frames: int, fps: float) -> list[int]:
    """The indices that `rule` takes of `total_frames` frames at `fps`; [] for no frames."""
    if total_frames < 1:
        return []
    most = min(rule.num_frames, total_frames)
    if rule.kind in ("rate", "rate-to-end"):
        wanted = total_frames / fps * rule.target_fps
        count = min(max(wanted, rule.least), most)
        return _pairs(total_frames, count) if rule.kind == "rate" else _to_end(total_frames, int(count))
    return _middles(total_frames, most) if rule.kind == "middles" else _starts(total_frames, most)


def _pairs(total_frames: int, count: float) -> list[int]:
    """Qwen2.5-VL: an even number of frames, each at the start of an equal part."""
    whole = max(math.floor(count / _PAIR) * _PAIR, 1)
    return [int(index * (total_frames / whole)) for index in range(whole)]


def _to_end(total_frames: int, count: int) -> list[int]:
    """Qwen3-VL: evenly from the first to the last frame, rounded to the nearest."""
    return [int(index) for index in np.linspace(0, total_frames - 1, max(count, 1)).round()]


def _starts(total_frames: int, count: int) -> list[int]:
    """transformers' default, LLaVA-OneVision and LLaVA-NeXT-Video: the first frame of equal parts."""
    return [index * total_frames // count for index in range(count)]


def _middles(total_frames: int, count: int) -> list[int]:
    """InternVL: the middle frame of equal parts."""
    part = total_frames / count
    return [int(part / 2 + index * part) for index in range(count)]
