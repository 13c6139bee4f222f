"""Is one model better than another on the same questions? A paired, clustered bootstrap.

The accuracy of a benchmark is a mean of its groups' accuracies (one group: all questions alike), and a
model's mean is that of its benchmarks' accuracies. A resample draws, within each benchmark, as many videos as
it has, with replacement; a drawn video brings all its questions and every model's answers to them. On each
resample everything is worked out anew for all models, and the interval reaches from the 2.5th percentile to
the 97.5th.

- Percentile interval: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
- Videos as clusters, and the same draws for both models (paired): Miller, "Adding Error Bars to Evals" (arXiv
  2411.00640, 2024).

A group of which no video was drawn is left out of that resample's mean, as a group without a judged question
is left out of an accuracy. Groups of very few videos make an interval somewhat too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sf_eval.scoring.significance import detectable

SEED = 0
RESAMPLES = 10_000
_CHUNK = 1000  # resamples at a time: memory is this times the videos of a benchmark
_LEVELS = (2.5, 97.5)

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One question, and whether each of the models got it right.

    Attributes:
        video: the cluster.
        group: whose accuracies the benchmark's is the mean of, e.g. MLVU's task type; "" where there is one.
        right: one entry a model, in the same order for all questions.
    """

    video: str
    group: str
    right: tuple[bool, ...]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95% interval; None where there is none."""

    value: float
    interval95: tuple[float, float] | None


@dataclass(frozen=True)
class Comparison:
    """The first of two models against the second, on the same questions.

    Attributes:
        first, second: accuracies in percent.
        difference: first minus second, in percentage points.
        relative: 100 * (first / second - 1), in percent. None where the second got nothing right; without an
            interval where one of them got nothing right in some resample.
        n, videos: questions and clusters that entered.
        p_value: two-sided, of no difference, from the same resamples as the interval: twice the smaller
            share of them on either side of 0 (Efron and Tibshirani, chapter 15); None without resamples.
        detectable: the smallest true difference, in percentage points, that these questions show with a
            power of 80% (`significance.detectable`); None without resamples. Where all resamples are alike,
            from the most that such videos can hide (`_Resampled.least_error`).
    """

    first: float
    second: float
    difference: Estimate
    relative: Estimate | None
    n: int
    videos: int
    p_value: float | None = None
    detectable: float | None = None


@dataclass(frozen=True)
class _Resampled:
    """Accuracies from 0 to 1: as observed (models) and on each resample (resamples x models).

    `draws` is None with fewer than two videos: there is nothing to resample.

    Attributes:
        least_error: standard error of a difference (from 0 to 1) that C videos without any cannot rule out:
            a true share of up to 3/C of videos on which the two differ is missed with a chance of 5% (the
            "rule of three"; Hanley and Lippman-Hand, JAMA 1983), so sqrt(3/C / C).
    """

    observed: Floats
    draws: Floats | None
    n: int
    videos: int
    least_error: float


def mean_accuracy(
    benchmarks: Mapping[str, Sequence[Judged]], *, seed: int = SEED, resamples: int = RESAMPLES
) -> Estimate | None:
    """One model's mean accuracy over `benchmarks`, in percent; None where one of them has no question.

    No interval where one of the benchmarks has fewer than two videos, nor where all resamples are alike (all
    right, all wrong): no width is not certainty.
    """
    if not benchmarks or not all(benchmarks.values()):
        return None
    whole = _mean([_resample(*item, seed, resamples) for item in benchmarks.items()])
    bounds = None if whole.draws is None else _percentiles(100 * whole.draws[:, 0])
    has_width = bounds is not None and bounds[0] < bounds[1]
    return Estimate(float(100 * whole.observed[0]), bounds if has_width else None)


def compare(
    benchmarks: Mapping[str, Sequence[Judged]],
    in_mean: Sequence[str],
    *,
    seed: int = SEED,
    resamples: int = RESAMPLES,
) -> tuple[Comparison | None, dict[str, Comparison]]:
    """The first of two models against the second: over the mean of the benchmarks `in_mean`, and on each.

    Args:
        benchmarks: by name, the questions that both models answered. Those without any are left out.

    Returns:
        None for the mean where one of `in_mean` has no question.
    """
    parts = {name: _resample(name, items, seed, resamples) for name, items in benchmarks.items() if items}
    each = {name: _compared(part) for name, part in parts.items()}
    if not in_mean or not set(in_mean) <= set(parts):
        return None, each
    return _compared(_mean([parts[name] for name in in_mean])), each


def _resample(name: str, items: Sequence[Judged], seed: int, resamples: int) -> _Resampled:
    """A benchmark's draws depend on the seed, its own name and its videos, not on the other benchmarks."""
    videos = {video: number for number, video in enumerate(sorted({item.video for item in items}))}
    groups = {group: number for number, group in enumerate(sorted({item.group for item in items}))}
    models = len(items[0].right)
    asked = np.zeros((len(videos), len(groups)))
    right = np.zeros((len(videos), len(groups), models))
    for item in items:
        place = videos[item.video], groups[item.group]
        asked[place] += 1
        right[place] += item.right
    observed = _accuracies(np.ones((1, len(videos))), asked, right)[0]
    least_error = math.sqrt(3) / len(videos)
    if len(videos) < 2:
        return _Resampled(observed, None, len(items), len(videos), least_error)
    generator = np.random.default_rng([seed, *name.encode()])
    draws = []
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        times_drawn = _times_drawn(generator, rows, len(videos))
        draws.append(_accuracies(times_drawn, asked, right))
    return _Resampled(observed, np.concatenate(draws), len(items), len(videos), least_error)


def _times_drawn(generator: np.random.Generator, rows: int, videos: int) -> Floats:
    """How often each video was drawn when as many were drawn as there are: rows x videos."""
    drawn = generator.integers(videos, size=(rows, videos)) + np.arange(rows)[:, None] * videos
    return np.bincount(drawn.ravel(), minlength=rows * videos).reshape(rows, videos).astype(np.float64)


def _accuracies(times_drawn: Floats, asked: Floats, right: Floats) -> Floats:
    """Rows x models: the mean over the groups that were drawn of their accuracies."""
    counted = times_drawn @ asked
    got = np.tensordot(times_drawn, right, axes=1)
    is_drawn = counted > 0
    shares = np.where(is_drawn[:, :, None], got / np.where(is_drawn, counted, 1)[:, :, None], 0.0)
    means: Floats = shares.sum(axis=1) / is_drawn.sum(axis=1)[:, None]
    return means


def _mean(parts: Sequence[_Resampled]) -> _Resampled:
    draws = [part.draws for part in parts if part.draws is not None]
    return _Resampled(
        np.mean([part.observed for part in parts], axis=0),
        np.mean(draws, axis=0) if len(draws) == len(parts) else None,
        sum(part.n for part in parts),
        sum(part.videos for part in parts),
        math.hypot(*(part.least_error for part in parts)) / len(parts),
    )


def _compared(part: _Resampled) -> Comparison:
    first, second = (float(100 * share) for share in part.observed)
    draws = part.draws
    difference = None if draws is None else 100 * (draws[:, 0] - draws[:, 1])
    relative = None
    if second > 0:
        ratios = None
        if draws is not None and (draws > 0).all():
            ratios = 100 * (draws[:, 0] / draws[:, 1] - 1)
        relative = Estimate(100 * (first / second - 1), _percentiles(ratios))
    return Comparison(
        first=first,
        second=second,
        difference=Estimate(first - second, _percentiles(difference)),
        relative=relative,
        n=part.n,
        videos=part.videos,
        p_value=None if difference is None else _p_value(difference),
        detectable=None if difference is None else _detectable(difference, part.least_error),
    )


def _p_value(difference: Floats) -> float:
    sides = (np.count_nonzero(difference <= 0), np.count_nonzero(difference >= 0))
    return min(1.0, 2 * (int(min(sides)) + 1) / (len(difference) + 1))


def _detectable(difference: Floats, least_error: float) -> float:
    spread = float(np.std(difference, ddof=1))
    return detectable(spread if spread > 0 else 100 * least_error)


def _percentiles(draws: Floats | None) -> tuple[float, float] | None:
    if draws is None:
        return None
    low, high = np.percentile(draws, _LEVELS)
    return float(low), float(high)
