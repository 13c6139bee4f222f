"""The paired, clustered bootstrap on data made by hand: what it estimates, and how wide its intervals are."""

from __future__ import annotations

import random

import pytest

from sf_eval.scoring.paired import Comparison, Estimate, Judged, compare, mean_accuracy


def judged(*right: tuple[bool, ...], per_video: int = 1, group: str = "") -> list[Judged]:
    """Questions in order, `per_video` of them about one video."""
    return [Judged(f"video {number // per_video}", group, each) for number, each in enumerate(right)]


def compared(items: list[Judged], **options: int) -> Comparison:
    overall, each = compare({"one": items}, ["one"], **options)
    assert overall == each["one"]
    assert overall is not None
    return overall


def width(estimate: Estimate | None) -> float:
    assert estimate is not None
    assert estimate.interval95 is not None
    return estimate.interval95[1] - estimate.interval95[0]


BOTH, FIRST, SECOND, NONE = (True, True), (True, False), (False, True), (False, False)
# 400 questions: the first model gets 240 right (60%), the second 200 (50%).
PAIRS = [BOTH] * 160 + [FIRST] * 80 + [SECOND] * 40 + [NONE] * 120


def test_a_known_answer() -> None:
    """One question a video: the mean of differences of 1, 0 and -1 has the textbook's standard error."""
    result = compared(judged(*PAIRS))
    assert (result.first, result.second) == (60, 50)
    assert result.difference.value == pytest.approx(10)
    assert (result.n, result.videos) == (400, 400)
    variance = (80 + 40) / 400 - (40 / 400) ** 2
    half = 1.96 * 100 * (variance / 400) ** 0.5
    assert result.difference.interval95 == pytest.approx((10 - half, 10 + half), abs=0.4)
    assert result.relative is not None
    assert result.relative.value == pytest.approx(20)


def test_six_videos_can_be_counted_by_hand() -> None:
    """One of six only for the first: drawn 0, 3, 4 times or more with chances 0.33, 0.05 and 0.009."""
    result = compared(judged(FIRST, *[NONE] * 5))
    assert result.difference == Estimate(pytest.approx(100 / 6), (0, 50))


def test_pairing_narrows_the_interval() -> None:
    """The same two accuracies, but the second model's answers belong to other questions."""
    shuffled = [second for _, second in PAIRS]
    random.Random(1).shuffle(shuffled)
    unpaired = [(first, second) for (first, _), second in zip(PAIRS, shuffled, strict=True)]
    agreeing = [BOTH] * 200 + [FIRST] * 40 + [NONE] * 160
    apart, together = compared(judged(*unpaired)), compared(judged(*agreeing))
    assert (apart.first, apart.second) == (together.first, together.second) == (60, 50)
    assert width(together.difference) < 0.6 * width(apart.difference)


def test_clusters_widen_the_interval() -> None:
    """Five questions a video that all end alike are no more than one: sqrt(5) times as wide."""
    alike = [pair for pair in PAIRS for _ in range(5)]
    alone, in_fives = compared(judged(*alike)), compared(judged(*alike, per_video=5))
    assert alone.difference.value == pytest.approx(in_fives.difference.value)
    assert width(in_fives.difference) == pytest.approx(5**0.5 * width(alone.difference), rel=0.05)


def test_a_model_against_itself_is_exactly_zero() -> None:
    alike = [pair for pair in PAIRS if pair[0] == pair[1]]
    result = compared(judged(*alike, per_video=3))
    assert result.difference == Estimate(0, (0, 0))
    assert result.relative == Estimate(0, (0, 0))


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    items = judged(*PAIRS, per_video=4)
    assert compared(items, seed=3) == compared(items, seed=3)
    assert compared(items, seed=3).difference.interval95 != compared(items, seed=4).difference.interval95
    shuffled = random.Random(0).sample(items, len(items))
    assert compared(items) == compared(shuffled)


def test_a_benchmark_is_resampled_alike_whatever_stands_beside_it() -> None:
    one, other = judged(*PAIRS), judged(*PAIRS[::-1], per_video=2)
    _, alone = compare({"one": one}, ["one"])
    _, beside = compare({"other": other, "one": one}, ["one", "other"])
    assert beside["one"] == alone["one"]


def test_benchmarks_are_resampled_independently() -> None:
    """The mean of two benchmarks, alike but for their names, is sqrt(2) times as sure as each."""
    overall, each = compare({"one": judged(*PAIRS), "other": judged(*PAIRS)}, ["one", "other"])
    assert overall is not None
    assert width(overall.difference) == pytest.approx(width(each["one"].difference) / 2**0.5, rel=0.05)


def test_each_benchmark_counts_alike_however_large() -> None:
    large, small = judged(*[BOTH] * 300), judged(*[FIRST] * 10)
    overall, each = compare({"large": large, "small": small}, ["large", "small"])
    assert overall is not None
    assert (overall.first, overall.second) == (100, 50)
    assert overall.n == 310
    assert each["small"].difference.value == 100
    only_large, _ = compare({"large": large, "small": small}, ["large"])
    assert only_large == each["large"]


def test_each_group_of_a_benchmark_counts_alike() -> None:
    """As MLVU's task types do: three questions of one type weigh as much as one of another."""
    items = [*judged(BOTH, BOTH, BOTH, group="plotQA"), *judged(FIRST, group="order")]
    assert (compared(items).first, compared(items).second) == (100, 50)


def test_a_ratio_to_nothing_or_of_nothing_has_no_interval() -> None:
    assert compared(judged(FIRST, NONE)).relative is None
    rarely = compared(judged(*[BOTH], *[FIRST] * 9))
    assert rarely.relative is not None
    assert rarely.relative.value == pytest.approx(900)
    assert rarely.relative.interval95 is None, "a third of all resamples holds no right answer of the second"
    never = compared(judged(*[SECOND] * 5, *[NONE] * 5))
    assert never.relative == Estimate(-100, None)


@pytest.mark.parametrize("videos", [2, 5])
def test_fewer_than_six_videos_give_no_interval_however_large_the_difference(videos: int) -> None:
    """All gained: an exact sign test of 5 of 5 has p = 0.06."""
    result = compared(judged(*[FIRST] * videos * 3, per_video=3))
    assert (result.difference, result.p_value) == (Estimate(100, None), None)


@pytest.mark.parametrize("differ", [1, 4, 5, 6, 8])
def test_an_interval_excludes_0_only_where_six_videos_differ(differ: int) -> None:
    """All of them gained, of 12. p is the sign test's where the resamples' would be less."""
    low, _ = compared(judged(*[FIRST] * differ, *[BOTH] * (12 - differ))).difference.interval95 or (-1, 0)
    assert (low > 0) == (differ >= 6)
    p_value = compared(judged(*[FIRST] * differ, *[BOTH] * (12 - differ))).p_value or 0
    assert (p_value < 0.05) == (differ >= 6)
    assert p_value >= min(1.0, 2 / 2**differ)


def test_a_benchmark_of_two_videos_does_not_make_the_mean_differ() -> None:
    """Half of the mean is two videos; what is beside them decides."""
    two = judged(FIRST, FIRST)
    by_two, _ = compare({"two": two, "alike": judged(*[BOTH, NONE] * 40)}, ["two", "alike"])
    by_both, _ = compare({"two": two, "sure": judged(*PAIRS)}, ["two", "sure"])
    assert by_two is not None
    assert by_both is not None
    assert by_two.difference == Estimate(50, (0, 50))
    assert (by_two.p_value or 0) > 0.05
    low, high = by_both.difference.interval95 or (0, 0)
    assert 0 < low < 10 < 50 < high
    assert (by_both.p_value or 1) < 0.05


def test_few_differences_among_many_videos_leave_the_interval_narrow() -> None:
    low, high = compared(judged(*[FIRST] * 5, *[BOTH] * 995)).difference.interval95 or (-9, 9)
    assert low == 0
    assert high < 1.1


def test_one_video_gives_no_interval() -> None:
    result = compared(judged(FIRST, BOTH, per_video=2))
    assert result.difference == Estimate(50, None)
    whole, _ = compare({"a": judged(FIRST, BOTH), "b": judged(FIRST, BOTH, per_video=2)}, ["a", "b"])
    assert whole is not None
    assert whole.difference.interval95 is None


def test_a_mean_lacks_no_benchmark() -> None:
    overall, each = compare({"one": judged(*PAIRS), "none": []}, ["one", "none"])
    assert overall is None
    assert list(each) == ["one"]
    assert mean_accuracy({"one": judged((True,), (False,)), "none": []}) is None


def test_the_mean_of_one_model_has_the_interval_of_its_own_resamples() -> None:
    single = [Judged(item.video, item.group, item.right[:1]) for item in judged(*PAIRS)]
    mean = mean_accuracy({"one": single})
    assert mean is not None
    assert mean.value == pytest.approx(60)
    half = 1.96 * 100 * (0.6 * 0.4 / 400) ** 0.5
    assert mean.interval95 == pytest.approx((60 - half, 60 + half), abs=0.5)
    assert mean_accuracy({"one": judged((True,), (True,))}) == Estimate(100, None), (
        "no width is not certainty"
    )


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Videos of three questions, of which some are hard for both models; the true difference is 10 points."""
    generator = random.Random(20250401)
    hits = 0
    for _ in range(400):
        items = []
        for number in range(60):
            ease = generator.uniform(-0.3, 0.3)
            for _question in range(3):
                right = generator.random() < 0.6 + ease, generator.random() < 0.5 + ease
                items.append(Judged(str(number), "", right))
        low, high = compared(items, resamples=400).difference.interval95 or (0, 0)
        hits += low <= 10 <= high
    assert 0.91 <= hits / 400 <= 0.98
