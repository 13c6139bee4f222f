"""Is one model better than another on the same questions? A paired, clustered bootstrap.

The accuracy of a benchmark is a mean of its groups' accuracies (one group: all questions alike), and a
model's mean is that of its benchmarks' accuracies. A resample draws, within each benchmark, as many videos as
it has, with replacement; a drawn video brings all its questions and every model's answers to them. On each
resample everything is worked out anew for all models, and the interval reaches from the 2.5th percentile to
the 97.5th.

- Percentile interval: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
- Videos as clusters, and the same draws for both models (paired): Miller, "Adding Error Bars to Evals" (arXiv
  2411.00640, 2024).

A percentile interval of a few videos that all changed in one way excludes 0, however few they are. Yet an
exact sign test calls no fewer than six of them a difference (5 of 5: p = 2/2^5 = 0.06). So there is no
interval of a difference of fewer than six videos; and a benchmark on which the two models differ on fewer
than six makes no difference by itself: the interval is widened to hold what it would be had both answered
that one alike.

A group of which no video was drawn is left out of that resample's mean, as a group without a judged question
is left out of an accuracy. Groups of very few videos make an interval somewhat too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sf_eval.scoring.significance import detectable, sign_test_floor

SEED = 0
RESAMPLES = 10_000
_CHUNK = 1000  # resamples at a time: memory is this times the videos of a benchmark
_LEVELS = (2.5, 97.5)
_NO_SPREAD = 1e-12  # of shares: what is less is rounding

FEWEST = 6
"""Videos that must differ before a difference can be shown: the fewest of which an exact sign test, two-sided
at 5%, can reject that either model is as likely to gain one."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One question, and whether each of the models got it right.

    Attributes:
        video: the cluster.
        group: whose accuracies the benchmark's is the mean of, e.g. MLVU's task type; "" where there is one.
        right: one entry a model, in the same order for all questions: 1 for right, 0 for wrong, and between
            them for an open answer that earns a part (WUPS).
    """

    video: str
    group: str
    right: tuple[float, ...]


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
            share of them on either side of 0 (Efron and Tibshirani, chapter 15); but no less than an exact
            sign test makes of the most one-sided outcome. None without an interval.
        detectable: the smallest true difference, in percentage points, that these questions show with a
            power of 80% (`significance.detectable`); None without resamples.
        hidden: the part of `detectable` that is made of the most that videos without any spread can hide
            (`_Resampled.hidden_error`); 0 where every benchmark's resamples differ.
    """

    first: float
    second: float
    difference: Estimate
    relative: Estimate | None
    n: int
    videos: int
    p_value: float | None = None
    detectable: float | None = None
    hidden: float = 0.0

    def videos_to_show(self, points: float) -> int | None:
        """How many such videos show a true difference of `points`, with the power of `detectable`.

        With f times as many, the spread falls with the root of f, and what is hidden with f itself:
        points^2 = spread^2 / f + hidden^2 / f^2. None without resamples.
        """
        if self.detectable is None:
            return None
        spread = max(0.0, self.detectable**2 - self.hidden**2) / points**2
        hidden = self.hidden / points
        factor = (spread + math.hypot(spread, 2 * hidden)) / 2
        return max(FEWEST, math.ceil(self.videos * factor - _NO_SPREAD))


@dataclass(frozen=True)
class _Resampled:
    """Accuracies from 0 to 1: as observed (models) and on each resample (resamples x models).

    `draws` is None with fewer than two videos: there is nothing to resample.

    Attributes:
        settled: the draws had the models answered every benchmark alike on which they differ on fewer than
            `FEWEST` videos; `draws` itself where there is none such.
        differing: videos on which not all models have as much right.
        least_p: the smallest p that a sign test gives so few of them; 0 where all benchmarks have enough.
        hidden_error: standard error of a difference (from 0 to 1) that C videos without any spread cannot
            rule out: a true share of up to 3/C of videos on which the two differ is missed with a chance of
            5% (the "rule of three"; Hanley and Lippman-Hand, JAMA 1983), so sqrt(3/C / C). 0 with a spread.
    """

    observed: Floats
    draws: Floats | None
    settled: Floats | None
    n: int
    videos: int
    differing: int
    least_p: float
    hidden_error: float


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
    draws = None if len(videos) < 2 else _draws([seed, *name.encode()], asked, right, resamples)
    differing = int((right.min(axis=2) < right.max(axis=2)).any(axis=1).sum())
    is_thin = differing < FEWEST
    return _Resampled(
        observed,
        draws,
        _all_alike(draws) if is_thin and draws is not None else draws,
        len(items),
        len(videos),
        differing,
        sign_test_floor(differing) if is_thin else 0.0,
        0.0 if draws is None or _spread(draws) > _NO_SPREAD else math.sqrt(3) / len(videos),
    )


def _draws(seeds: Sequence[int], asked: Floats, right: Floats, resamples: int) -> Floats:
    """Accuracies on each resample: resamples x models."""
    generator = np.random.default_rng(seeds)
    draws = []
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        times_drawn = _times_drawn(generator, rows, len(asked))
        draws.append(_accuracies(times_drawn, asked, right))
    return np.concatenate(draws)


def _all_alike(draws: Floats) -> Floats:
    """Every model as accurate as the last."""
    return np.broadcast_to(draws[:, -1:], draws.shape)


def _spread(draws: Floats) -> float:
    """Standard error, from 0 to 1, of the first model's accuracy less the last's."""
    return float(np.std(draws[:, 0] - draws[:, -1], ddof=1))


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
    return _Resampled(
        np.mean([part.observed for part in parts], axis=0),
        _mean_draws([part.draws for part in parts]),
        _mean_draws([part.settled for part in parts]),
        sum(part.n for part in parts),
        sum(part.videos for part in parts),
        sum(part.differing for part in parts),
        max(part.least_p for part in parts),
        math.hypot(*(part.hidden_error for part in parts)) / len(parts),
    )


def _mean_draws(parts: Sequence[Floats | None]) -> Floats | None:
    draws = [part for part in parts if part is not None]
    means: Floats | None = np.mean(draws, axis=0) if len(draws) == len(parts) else None
    return means


def _compared(part: _Resampled) -> Comparison:
    first, second = (float(100 * share) for share in part.observed)
    draws = part.draws
    shown = None if part.videos < FEWEST or draws is None or part.settled is None else (draws, part.settled)
    detected = None if draws is None else math.hypot(_spread(draws), part.hidden_error)
    return Comparison(
        first=first,
        second=second,
        difference=Estimate(first - second, shown and _hull(_differences, shown)),
        relative=Estimate(100 * (first / second - 1), shown and _hull(_ratios, shown))
        if second > 0
        else None,
        n=part.n,
        videos=part.videos,
        p_value=shown and _p_value(shown, part),
        detectable=None if detected is None else detectable(100 * detected),
        hidden=0.0 if draws is None else detectable(100 * part.hidden_error),
    )


def _differences(draws: Floats) -> Floats:
    return 100 * (draws[:, 0] - draws[:, 1])


def _ratios(draws: Floats) -> Floats | None:
    """None where one of the two has nothing right in some resample."""
    return 100 * (draws[:, 0] / draws[:, 1] - 1) if (draws > 0).all() else None


def _hull(of: Callable[[Floats], Floats | None], shown: tuple[Floats, Floats]) -> tuple[float, float] | None:
    """The interval that holds those of the draws and of the settled draws."""
    drawn, settled = (of(draws) for draws in shown)
    if drawn is None or settled is None:
        return None
    ends = [*_percentiles(drawn), *_percentiles(settled)]
    return min(ends), max(ends)


def _p_value(shown: tuple[Floats, Floats], part: _Resampled) -> float:
    """The larger of the draws' p and the settled draws', the latter as far as a sign test can go."""
    drawn, settled = (_share_beyond(_differences(draws)) for draws in shown)
    return max(drawn, min(settled, part.least_p), sign_test_floor(part.differing))


def _share_beyond(difference: Floats) -> float:
    sides = (np.count_nonzero(difference <= 0), np.count_nonzero(difference >= 0))
    return min(1.0, 2 * (int(min(sides)) + 1) / (len(difference) + 1))


def _percentiles(draws: Floats) -> tuple[float, float]:
    low, high = np.percentile(draws, _LEVELS)
    return float(low), float(high)
