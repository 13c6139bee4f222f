"""95% intervals of mean accuracies where several questions share a video.

The estimate is a mean of group means (one group: the plain accuracy). Its variance is the cluster-robust one:
each sample's influence on the estimate is summed within its video, and the squares of the sums are added up.

    u_i = (y_i - mean_k) / (K n_k)      sample i of group k; y from 0 to 1; K groups of n_k samples
    U_c = sum of u_i over the samples of video c
    Var = C / (C - 1) * sum of U_c^2    C videos

For one group this is the clustered standard error of Miller, "Adding Error Bars to Evals" (arXiv 2411.00640,
2024), with the usual factor C/(C-1) for few clusters and Student's t with C-1 degrees of freedom (Cameron and
Miller, "A Practitioner's Guide to Cluster-Robust Inference", J. Human Resources 2015). For several groups it
is the delta method: u_i is the derivative of a mean of means, and a video may have questions in many groups.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist

Observation = tuple[str, float]  # video, and 1 for right, 0 for wrong, between them for a part (WUPS)
_P = 0.975
_NO_WIDTH = 1e-18  # a variance below this is rounding
_Z = NormalDist().inv_cdf(_P)


def mean_of_means(groups: Sequence[Sequence[Observation]]) -> float | None:
    """The mean of the groups' accuracies, from 0 to 1; empty groups are left out; None if all are empty."""
    means = [sum(right for _, right in group) / len(group) for group in groups if group]
    return sum(means) / len(means) if means else None


def interval95(groups: Sequence[Sequence[Observation]]) -> tuple[float, float] | None:
    """The 95% interval of `mean_of_means`, within 0 to 1; None with fewer than two videos.

    Where the formula gives no width (all right, all wrong, or every video alike), which is not certainty, it
    is Wilson's interval (JASA 1927) for as many independent trials as there are videos.
    """
    estimate = mean_of_means(groups)
    filled = [group for group in groups if group]
    influence: dict[str, float] = defaultdict(float)
    for group in filled:
        mean = sum(right for _, right in group) / len(group)
        for video, right in group:
            influence[video] += (right - mean) / (len(filled) * len(group))
    clusters = len(influence)
    if estimate is None or clusters < 2:
        return None
    return _bounded(
        estimate, clusters / (clusters - 1) * sum(total**2 for total in influence.values()), clusters
    )


def running95(counts: Mapping[str, tuple[int, float]]) -> tuple[float, float] | None:
    """`interval95` of one group, from counts that are kept while a run goes on.

    Args:
        counts: by video, how many questions were judged, and the sum of their credits (1 for a right one).
    """
    clusters, asked = len(counts), sum(judged for judged, _ in counts.values())
    if clusters < 2:
        return None
    mean = sum(right for _, right in counts.values()) / asked
    squares = sum(((right - judged * mean) / asked) ** 2 for judged, right in counts.values())
    return _bounded(mean, clusters / (clusters - 1) * squares, clusters)


def _bounded(estimate: float, variance: float, clusters: int) -> tuple[float, float]:
    if variance < _NO_WIDTH:
        return wilson(estimate, clusters)
    half = t_quantile(clusters - 1) * math.sqrt(variance)
    return max(0.0, estimate - half), min(1.0, estimate + half)


def wilson(estimate: float, trials: int) -> tuple[float, float]:
    """Wilson's 95% interval for a share seen in independent trials."""
    z2 = _Z**2
    centre = (estimate + z2 / (2 * trials)) / (1 + z2 / trials)
    spread = math.sqrt(estimate * (1 - estimate) / trials + z2 / (4 * trials**2))
    half = _Z / (1 + z2 / trials) * spread
    return max(0.0, centre - half), min(1.0, centre + half)


@lru_cache(maxsize=4096)
def t_quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t with a whole number of degrees of freedom, to rounding.

    Half the interval is found for which the distribution's closed form says 95%. Source: Abramowitz and
    Stegun, Handbook of Mathematical Functions, 26.7.3 (odd) and 26.7.4 (even).

    Raises:
        ValueError: less than one degree.
    """
    if degrees < 1:
        raise ValueError(f"{degrees} degrees of freedom")
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _t_within(middle, degrees) < 2 * _P - 1:
            low = middle
        else:
            high = middle
    return math.sqrt(degrees) * math.tan(low)


def _t_within(angle: float, degrees: int) -> float:
    """The probability that |t| is below sqrt(degrees) * tan(angle)."""
    cosine2 = math.cos(angle) ** 2
    odd = degrees % 2
    term = math.cos(angle) if odd else 1.0
    terms = [term] if degrees > 1 else []
    for power in range(2 + odd, degrees - 1, 2):
        term *= cosine2 * (power - 1) / power
        terms.append(term)
    series = math.sin(angle) * math.fsum(terms)
    return 2 / math.pi * (angle + series) if odd else series
