"""Scores: what enters them, how sure they are, and what they say of the samples that failed."""

from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.scoring.intervals import interval95, t_quantile, wilson
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.published import PublishedVerdict
from sf_eval.scoring.scores import (
    ScoredSample,
    breakdown,
    headline_score,
    published_of_groups,
    score,
    score_of_groups,
    score_published,
)


def sample(outcome: str, video: str, *, has_truth: bool = True, **categories: str) -> ScoredSample:
    credit = 0.25 if outcome == "partial" else None
    return ScoredSample(Outcome(outcome), video, categories, has_truth=has_truth, credit=credit)


def test_what_enters_the_accuracy() -> None:
    outcomes = ("correct", "correct", "wrong", "no_answer", "decode_error", "timeout", "timeout")
    result = score([sample(outcome, f"v{place}") for place, outcome in enumerate(outcomes)])
    assert (result.accuracy, result.n, result.correct, result.wrong, result.no_answer) == (50.0, 4, 2, 1, 1)
    assert result.failures == {"decode_error": 1, "timeout": 2}
    assert result.coverage == pytest.approx(100 * 4 / 7)
    assert result.bounds == pytest.approx((100 * 2 / 7, 100 * 5 / 7))


def test_nothing_asked_and_nothing_answered() -> None:
    empty = score([])
    assert (empty.accuracy, empty.interval95, empty.bounds, empty.n, empty.coverage) == (
        None,
        None,
        None,
        0,
        100.0,
    )
    failed = score([sample("missing_media", "a"), sample("model_error", "b")])
    assert (failed.accuracy, failed.interval95, failed.bounds, failed.coverage) == (
        None,
        None,
        (0.0, 100.0),
        0.0,
    )


def test_answers_without_public_truth_have_no_accuracy() -> None:
    lost = sample("timeout", "c", has_truth=False)
    result = score([sample("unjudged", "a", has_truth=False), sample("unjudged", "b", has_truth=False), lost])
    assert (result.accuracy, result.interval95, result.bounds) == (None, None, None)
    assert (result.unjudged, result.n) == (2, 0)
    assert result.coverage == pytest.approx(100 * 2 / 3)
    assert score([sample("timeout", "a", has_truth=False)]).bounds is None


def test_an_answer_that_names_no_option_is_wrong_also_among_unjudged_ones() -> None:
    result = score(
        [sample("no_answer", "a"), sample("no_answer", "b"), sample("unjudged", "c", has_truth=False)]
    )
    assert (result.accuracy, result.n, result.unjudged) == (0.0, 2, 1)


def test_only_failures_that_a_score_could_count_widen_its_bounds() -> None:
    answered = [sample("correct", "a"), sample("wrong", "b")]
    lost = [sample("timeout", "c"), sample("decode_error", "d", has_truth=False)]
    assert score(answered + lost).bounds == pytest.approx((100 / 3, 200 / 3))


def test_one_video_has_no_interval() -> None:
    assert score([sample("correct", "a"), sample("wrong", "a")]).interval95 is None


def test_interval_by_hand() -> None:
    # Videos a (right, right), b (right, wrong), c (wrong, wrong); mean 1/2; cluster sums 1/6, 0, -1/6.
    drawn = ["a correct", "a correct", "b correct", "b wrong", "c wrong", "c wrong"]
    samples = [sample(outcome, video) for video, outcome in map(str.split, drawn)]
    half = 4.302653 * math.sqrt(3 / 2 * 2 / 36)
    low, high = interval95([[(s.video_id, s.outcome is Outcome.correct) for s in samples]])  # type: ignore[misc]
    assert (low, high) == (max(0, 0.5 - half), min(1, 0.5 + half))


def test_one_question_a_video_is_the_usual_standard_error() -> None:
    right = [True] * 60 + [False] * 40
    low, high = interval95([[(str(place), value) for place, value in enumerate(right)]])  # type: ignore[misc]
    error = statistics.stdev(map(float, right)) / math.sqrt(100)
    assert high - low == pytest.approx(2 * 1.98422 * error, rel=1e-4)


def test_questions_that_share_a_video_widen_the_interval() -> None:
    alone = [(f"v{place}", place % 2 == 0) for place in range(120)]
    shared = [(f"v{place // 2 % 2}-{place // 4}", place % 4 < 2) for place in range(120)]
    assert statistics.mean(r for _, r in alone) == statistics.mean(r for _, r in shared)
    low_a, high_a = interval95([alone])  # type: ignore[misc]
    low_s, high_s = interval95([shared])  # type: ignore[misc]
    assert high_s - low_s > 1.35 * (high_a - low_a)


def test_all_right_is_not_certainty() -> None:
    result = score([sample("correct", f"v{place}") for place in range(20)])
    assert result.accuracy == 100.0
    assert result.interval95 is not None
    assert result.interval95 == pytest.approx(tuple(100 * x for x in wilson(1.0, 20)))
    assert 80 < result.interval95[0] < 90
    alike = score([sample(o, f"v{place}") for place in range(9) for o in ("correct", "wrong")])
    assert alike.interval95 is not None
    assert alike.interval95[0] < 50 < alike.interval95[1]


@pytest.mark.parametrize(
    ("degrees", "value"),
    [(1, 12.7062047362), (2, 4.3026527297), (3, 3.1824463053), (4, 2.7764451052), (5, 2.5705818356),
     (30, 2.0422724563), (899, 1.9626062693)],
)  # fmt: skip
def test_t_quantile(degrees: int, value: float) -> None:
    assert t_quantile(degrees) == pytest.approx(value, rel=1e-9)


def test_t_quantile_falls_to_the_normal_ones() -> None:
    values = [t_quantile(degrees) for degrees in range(1, 200)]
    assert values == sorted(values, reverse=True)
    assert t_quantile(20_000) == pytest.approx(statistics.NormalDist().inv_cdf(0.975), rel=1e-4)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """300 benchmarks of 60 videos with 3 questions whose difficulty is the video's."""
    draw = random.Random(5)
    covered = 0
    for _ in range(300):
        observed = []
        for video in range(60):
            chance = draw.choice((0.3, 0.9))
            observed += [(str(video), draw.random() < chance) for _ in range(3)]
        low, high = interval95([observed])  # type: ignore[misc]
        covered += low <= 0.6 <= high
    assert covered >= 275  # of 285 expected; unclustered it would be about 250


def test_macro_is_the_mean_of_the_types() -> None:
    samples = [sample("correct", "a", task_type="count")] + [
        sample("wrong" if place else "correct", f"v{place}", task_type="order") for place in range(4)
    ]
    assert headline_score(samples, None).accuracy == 40.0
    macro = headline_score(samples, "task_type")
    assert (macro.accuracy, macro.n, macro.correct) == (62.5, 5, 2)


def test_macro_of_one_type_is_micro() -> None:
    samples = [sample("correct" if place % 3 else "wrong", f"v{place // 2}", kind="x") for place in range(30)]
    assert headline_score(samples, "kind") == headline_score(samples, None)


def test_a_video_with_questions_in_two_groups_is_one_cluster() -> None:
    def group(name: str) -> list[tuple[str, bool]]:
        return [(f"{name}{place}", place % 2 == 0) for place in range(40)]

    low_1, high_1 = interval95([group("v"), group("v")])  # type: ignore[misc]
    low_2, high_2 = interval95([group("v"), group("w")])  # type: ignore[misc]
    assert (high_1 - low_1) > 1.35 * (high_2 - low_2)


def test_a_group_of_which_everything_failed_is_left_to_the_bounds() -> None:
    fine = [sample("correct", "a"), sample("wrong", "b")]
    result = score_of_groups([fine, [sample("timeout", "c")]])
    assert (result.accuracy, result.bounds, result.coverage) == (50.0, (25.0, 75.0), pytest.approx(200 / 3))


def test_breakdown_in_a_readers_order() -> None:
    samples = [sample("correct", v, duration=v) for v in ("long", "short", "medium")]
    assert [part.value for part in breakdown(samples, ("duration",))] == ["short", "medium", "long"]
    samples = [sample("correct", v, duration_group=v) for v in ("3600", "60", "15", "600")]
    assert [part.value for part in breakdown(samples, ("duration_group",))] == ["15", "60", "600", "3600"]


def test_published_scores_count_guesses_and_exceptions_as_wrong() -> None:
    verdicts = [
        PublishedVerdict.correct,
        PublishedVerdict.random_guess,
        PublishedVerdict.raises,
        PublishedVerdict.wrong,
    ]
    samples = [ScoredSample(Outcome.wrong, f"v{v.value}", published=v) for v in verdicts]
    samples += [
        ScoredSample(Outcome.no_answer, "e", published=PublishedVerdict.wrong, in_published=False),
        ScoredSample(Outcome.timeout, "f"),
    ]
    result = score_published(samples)
    assert (result.accuracy, result.n, result.correct) == (25.0, 4, 1)
    assert (result.random_guesses, result.raised, result.dropped) == (1, 1, 1)
    assert published_of_groups([samples, samples]).accuracy == 25.0


def test_a_part_right_counts_by_its_credit_and_what_nobody_judged_not_at_all() -> None:
    drawn = [sample(outcome, outcome) for outcome in ("correct", "partial", "wrong", "no_answer")]
    result = score([*drawn, sample("not_judged", "a"), sample("judge_error", "b")])
    assert result.accuracy == pytest.approx(100 * 1.25 / 4)
    assert (result.n, result.correct, result.partial, result.not_judged) == (4, 1, 1, 1)
    assert result.failures == {"judge_error": 1}
    assert result.coverage == pytest.approx(100 * 5 / 6)
    assert result.bounds == pytest.approx((100 * 1.25 / 5, 100 * 2.25 / 5))


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(o.value for o in Outcome)), st.integers(0, 5)),
        max_size=60,
    )
)
def test_a_score_holds_together(drawn: list[tuple[str, int]]) -> None:
    samples = [sample(outcome, f"v{video}", kind=str(video % 2)) for outcome, video in drawn]
    for result in (score(samples), headline_score(samples, "kind")):
        assert result.n == result.correct + result.partial + result.wrong + result.no_answer
        assert result.not_judged == sum(each.outcome is Outcome.not_judged for each in samples)
        assert 0 <= result.coverage <= 100
        assert (result.accuracy is None) == (result.n == 0)
        if result.interval95 is not None and result.accuracy is not None:
            assert 0 <= result.interval95[0] <= result.accuracy + 1e-9
            assert result.accuracy - 1e-9 <= result.interval95[1] <= 100
        if result.bounds is not None and not result.failures:
            assert result.bounds == pytest.approx((result.accuracy, result.accuracy))
