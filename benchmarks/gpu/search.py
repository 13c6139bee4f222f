"""The largest number that fits, by few trials that are dear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """Where the border lies.

    Attributes:
        fits: the largest number seen to fit; None where none was.
        fails: the smallest seen not to; None where none was.
        trials: how many numbers were tried.
    """

    fits: int | None
    fails: int | None
    trials: int


def largest(
    fits: Callable[[int], bool], start: int, *, step: int, most: int, may_go_on: Callable[[], bool]
) -> Found:
    """Double (or halve) from `start` until the border lies between two trials, then halve what is between.

    Args:
        start, step: numbers tried are whole multiples of `step`, and `start` is the first of them.
        most: nothing beyond is tried.
        may_go_on: asked before each trial; the border stays as wide as it is once it says no.
    """
    low: int | None = None
    high: int | None = None
    number, trials = max(start // step, 1) * step, 0
    while may_go_on():
        trials += 1
        if fits(number):
            low = number
        else:
            high = number
        if high is None:
            if number >= most:
                break
            number = min(2 * number, most)
            continue
        below = low or 0
        number = (below + high) // 2 // step * step
        if number <= below:
            break
    return Found(low, high, trials)
