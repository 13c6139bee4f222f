"""Timing: seconds of a piece of work, and what a list of such seconds says."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from sf_eval.inference.waiting import synchronise

_Result = TypeVar("_Result")
_RESAMPLES = 2000


@dataclass(frozen=True)
class Samples:
    """Repeated measurements of one stage, in seconds.

    Attributes:
        values: every value, in the order measured.
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return quantile(self.values, 0.5)

    def to_json(self) -> dict[str, Any]:
        return {
            "unit": "s",
            "n": len(self.values),
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "p90": supported_quantile(self.values, 0.9),
            "p99": supported_quantile(self.values, 0.99),
            "values": list(self.values),
        }


@dataclass(frozen=True)
class Ratio:
    """Paired ratio of two things measured in the same rounds.

    Attributes:
        median: of the rounds' ratios.
        low, high: 95% bootstrap interval of that median; None for fewer than 6 rounds, whose whole range
            holds the true median less often than that.
        least, most: of the rounds' ratios.
        p10, p90: spread of the rounds' ratios; None for fewer than 10 rounds.
    """

    median: float
    low: float | None
    high: float | None
    least: float
    most: float
    p10: float | None
    p90: float | None
    n: int


def timed(work: Callable[[], _Result], device: torch.device) -> tuple[float, _Result]:
    """Seconds that `work` takes on `device`, and its result.

    On a GPU these are CUDA events around work that starts on an idle device; elsewhere the wall clock.
    """
    if device.type != "cuda":
        start = time.perf_counter()
        result = work()
        return time.perf_counter() - start, result
    torch.cuda.synchronize(device)
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    result = work()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3, result


def wall_timed(work: Callable[[], _Result], device: torch.device) -> tuple[float, _Result]:
    """Wall-clock seconds, host work included; the device is idle before and after."""
    synchronise(device)
    start = time.perf_counter()
    result = work()
    synchronise(device)
    return time.perf_counter() - start, result


def quantile(values: Sequence[float], share: float) -> float:
    """Linear interpolation between order statistics."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def supported_quantile(values: Sequence[float], share: float) -> float | None:
    """The quantile where there are enough values to have one: 10 for p10 and p90, 100 for p99; else None."""
    rarer = min(share, 1 - share)
    return quantile(values, share) if len(values) * rarer >= 1 - 1e-9 else None


_LEAST_FOR_INTERVAL = 6  # the range of n values holds the median with probability 1 - 2^(1 - n)


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """Ratio of values measured in the same rounds; a drift of the machine hits both of a pair."""
    ratios = [mine / other for mine, other in zip(ours, theirs, strict=True)]
    generator = random.Random(0)  # the same values give the same interval
    medians = [quantile(generator.choices(ratios, k=len(ratios)), 0.5) for _ in range(_RESAMPLES)]
    has_interval = len(ratios) >= _LEAST_FOR_INTERVAL
    return Ratio(
        median=quantile(ratios, 0.5),
        low=quantile(medians, 0.025) if has_interval else None,
        high=quantile(medians, 0.975) if has_interval else None,
        least=min(ratios),
        most=max(ratios),
        p10=supported_quantile(ratios, 0.1),
        p90=supported_quantile(ratios, 0.9),
        n=len(ratios),
    )
