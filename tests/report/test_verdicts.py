"""Verdicts are held to simulation: as often wrong as they say, and as often right as they promise.

400 comparisons of two models on two benchmarks, questions of one video alike in how hard they are. The true
accuracies of the models are known, since they are drawn here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.report.comparison.record import EstimateRecord, VerdictName
from sf_eval.report.comparison.verdict import verdict_name
from sf_eval.scoring.paired import Comparison, Judged, compare
from sf_eval.scoring.significance import POWER, detectable, holm, mcnemar

COMPARISONS = 400
VIDEOS, QUESTIONS = {"one": 60, "two": 40}, 3


def simulated(gain: float, seed: int, sizes: Mapping[str, int] = VIDEOS) -> Comparison:
    """One comparison; the first model is right `gain` more often than the second, on every question."""
    generator = np.random.default_rng([seed, 20261128])
    benchmarks = {}
    for name, videos in sizes.items():
        ease = generator.uniform(0.25, 0.75, size=(videos, 1))
        drawn = generator.random((videos, QUESTIONS))  # what is hard is hard for both
        own = generator.random((2, videos, QUESTIONS))
        second = np.where(own[0] < 0.5, drawn, generator.random((videos, QUESTIONS))) < ease
        first = np.where(own[1] < 0.5, drawn, generator.random((videos, QUESTIONS))) < ease + gain
        benchmarks[name] = [
            Judged(f"{video}", "", (bool(first[video, question]), bool(second[video, question])))
            for video in range(videos)
            for question in range(QUESTIONS)
        ]
    overall, _ = compare(benchmarks, list(benchmarks), resamples=500)
    assert overall is not None
    return overall


@cache
def verdicts(gain: float) -> Counter[VerdictName]:
    found: Counter[VerdictName] = Counter()
    for seed in range(COMPARISONS):
        result = simulated(gain, seed)
        value = EstimateRecord(value=result.difference.value, interval95=result.difference.interval95)
        found[verdict_name(value, result.detectable, tell=20.0)] += 1
    return found


@cache
def promised() -> float:
    """The difference that comparisons of this size, with such a difference, say they detect; from 0 to 1."""
    gain = 0.0
    for _ in range(2):  # the spread is a little larger where there is a difference
        gain = float(np.mean([simulated(gain, seed).detectable or math.nan for seed in range(40)])) / 100
    return round(gain, 3)


def test_without_a_true_difference_one_in_twenty_is_called_one() -> None:
    """Of 400, 20 are expected; three standard errors are 13."""
    found = verdicts(0.0)
    assert 7 <= found["better"] + found["worse"] <= 33
    assert abs(found["better"] - found["worse"]) <= 18, "neither side is favoured"
    assert found["no_difference"] == COMPARISONS - found["better"] - found["worse"]


@pytest.mark.thorough
def test_a_true_difference_of_the_promised_size_is_seen_as_often_as_promised() -> None:
    """80% of 400, within three standard errors of 2%."""
    found = verdicts(promised())
    assert found["better"] / COMPARISONS == pytest.approx(POWER, abs=0.06)
    assert found["worse"] == 0


@pytest.mark.parametrize(
    ("interval", "seen_from", "name"),
    [
        ((0.1, 4.0), 9.0, "better"),
        ((-4.0, -0.1), 9.0, "worse"),
        ((-1.0, 2.0), 2.1, "no_difference"),
        ((-8.0, 9.0), 12.0, "too_few"),
        ((0.0, 0.0), 3.0, "no_difference"),
        ((0.0, 0.0), 40.0, "too_few"),
        (None, None, "too_few"),
    ],
)
def test_the_interval_decides_and_what_could_have_been_seen(
    interval: tuple[float, float] | None, seen_from: float | None, name: VerdictName
) -> None:
    assert verdict_name(EstimateRecord(value=1.0, interval95=interval), seen_from, tell=5.0) == name


def test_models_that_answer_alike_are_not_told_apart_by_a_handful_of_videos() -> None:
    """No width is not certainty: what C videos without any difference can hide falls with C."""

    def alike(videos: int) -> Comparison:
        _, each = compare({"one": [Judged(str(v), "", (True, True)) for v in range(videos)]}, ["one"])
        return each["one"]

    assert alike(5).detectable == pytest.approx(100 * detectable(math.sqrt(3) / 5))
    assert alike(500).detectable == pytest.approx((alike(5).detectable or 0) / 100)
    assert alike(50).p_value == 1


def test_how_many_videos_would_do_is_how_many_videos_do() -> None:
    """What is hidden falls with the number of videos, what is spread with its root."""

    def result(videos: int, *flips: tuple[bool, bool]) -> Comparison:
        answers = [*flips] * (videos // 10) if flips else [(True, True)] * videos
        _, each = compare({"one": [Judged(str(v), "", right) for v, right in enumerate(answers)]}, ["one"])
        return each["one"]

    assert result(5).videos_to_show(5.0) == 98, "97.05, rounded up"
    assert result(97).detectable == pytest.approx(5.0, abs=0.05)
    mixed = [(True, False), (False, True), *[(True, True)] * 8]
    enough = result(100, *mixed).videos_to_show(5.0)
    assert enough == pytest.approx(100 * ((result(100, *mixed).detectable or 0) / 5) ** 2, abs=1)
    assert enough is not None
    assert result(enough // 10 * 10, *mixed).detectable == pytest.approx(5.0, abs=0.15)


def test_what_one_benchmark_hides_is_not_lost_beside_another_that_has_a_spread() -> None:
    """Five videos answered alike are half of the mean: they can hide as much as they do alone."""
    alike = [Judged(str(v), "", (True, True)) for v in range(5)]
    spread = [Judged(str(v), "", (v % 5 > 0, v % 7 > 0)) for v in range(350)]
    overall, each = compare({"alike": alike, "spread": spread}, ["alike", "spread"])
    assert overall is not None
    parts = [each[name].detectable or 0 for name in ("alike", "spread")]
    assert overall.detectable == pytest.approx(math.hypot(*parts) / 2, rel=0.02)
    enough = overall.videos_to_show(10.0) or 0
    factor = enough / overall.videos
    assert math.hypot(parts[0] / factor, parts[1] / factor**0.5) / 2 == pytest.approx(10.0, rel=0.02)


_THOROUGH = [pytest.param(sizes, marks=pytest.mark.thorough) for sizes in [(2,), (8,), (12,), (2, 60)]]


@pytest.mark.parametrize("sizes", [(5,), *_THOROUGH])
def test_few_videos_do_not_call_a_difference_more_often(sizes: tuple[int, ...]) -> None:
    """400 comparisons without a true difference; 20 are expected at most, three standard errors are 13."""
    found = 0
    for seed in range(COMPARISONS):
        result = simulated(0.0, seed, {str(number): videos for number, videos in enumerate(sizes)})
        value = EstimateRecord(value=result.difference.value, interval95=result.difference.interval95)
        found += verdict_name(value, result.detectable, tell=20.0) in ("better", "worse")
    assert found <= 33


# --- second opinions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (1, 0, 1.0), (6, 0, 2 / 2**6), (10, 2, 2 * (1 + 12 + 66) / 2**12)],
)
def test_mcnemar_is_the_exact_binomial_test(first: int, second: int, p: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p)
    assert mcnemar(second, first) == mcnemar(first, second)


def test_mcnemar_takes_thousands_of_flips() -> None:
    """By the normal approximation, with its continuity correction."""
    z = (5200 - 4800 - 1) / math.sqrt(10_000)
    assert mcnemar(5200, 4800) == pytest.approx(math.erfc(z / math.sqrt(2)), rel=0.01)


def test_holm_is_the_published_rule() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_makes_a_result_surer_and_keeps_the_order(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(p <= made <= 1 for p, made in zip(p_values, adjusted, strict=True))
    pairs = sorted(zip(p_values, adjusted, strict=True))
    assert [made for _, made in pairs] == sorted(adjusted)
