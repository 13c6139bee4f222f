"""Second opinions on a paired comparison: exact McNemar, Holm over several tests, the smallest effect seen.

- McNemar: Psychometrika 1947; exact, as a two-sided binomial test of the discordant pairs. It takes questions
  for independent, which those of one video are not: a second opinion, not the verdict.
- Holm: "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979.
- Smallest detectable effect: (z of 97.5% + z of the power) times the standard error, the usual normal
  approximation (Miller, "Adding Error Bars to Evals", arXiv 2411.00640, section 5).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

POWER = 0.8
_LEVEL = 0.05
_REACH = NormalDist().inv_cdf(1 - _LEVEL / 2) + NormalDist().inv_cdf(POWER)


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided p-value of as many questions that only the one or only the other got right.

    1 where the two never differ.
    """
    discordant, fewer = only_first + only_second, min(only_first, only_second)
    term = total = 1
    for right in range(1, fewer + 1):
        term = term * (discordant - right + 1) // right
        total += term
    # Whole numbers of thousands of bits: their ratio is taken before they become floats.
    return min(1.0, math.exp(math.log(2 * total) - discordant * math.log(2)))


def sign_test_floor(differing: int) -> float:
    """The smallest two-sided p-value that an exact sign test of so many differing clusters can give."""
    return mcnemar(differing, 0)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for their number, in the order given."""
    adjusted = [0.0] * len(p_values)
    reached = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = max(reached, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = reached
    return adjusted


def detectable(standard_error: float) -> float:
    """The smallest true difference that a test at 5% shows with a power of `POWER`."""
    return _REACH * standard_error
