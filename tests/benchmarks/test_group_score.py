"""The group score of Video-MME-v2: worked by hand, held to its properties, and to its authors' code."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.scoring.group_score import STEPS, GroupScore, coherence, consistency, group_scores
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.scores import ScoredSample

EVERY = [list(map(bool, each)) for each in product((0, 1), repeat=4)]
RULES = [None, *STEPS]  # None: consistency
RIGHT, WRONG, SILENT, FAILED = Outcome.correct, Outcome.wrong, Outcome.no_answer, Outcome.decode_error


def earned(right: Sequence[bool], rule: str | None) -> float:
    return consistency(right) if rule is None else coherence(right, rule)


def marks(text: str) -> list[bool]:
    return [sign == "x" for sign in text]


@pytest.mark.parametrize(
    ("rule", "right", "worth"),
    [
        (None, "----", 0), (None, "x---", 6.25), (None, "-x-x", 25), (None, "xx-x", 56.25),
        (None, "xxxx", 100),
        # One step after the other: what is right behind an error does not count.
        ("[1, 2, 3, 4]", "----", 0), ("[1, 2, 3, 4]", "-xxx", 0), ("[1, 2, 3, 4]", "x-xx", 6.25),
        ("[1, 2, 3, 4]", "xx-x", 25), ("[1, 2, 3, 4]", "xxx-", 56.25), ("[1, 2, 3, 4]", "xxxx", 100),
        # The second and the third are one step: either of them counts.
        ("[1, [2, 3], 4]", "-xxx", 0), ("[1, [2, 3], 4]", "x--x", 100 / 12),
        ("[1, [2, 3], 4]", "x-xx", 400 / 12),
        ("[1, [2, 3], 4]", "xx-x", 400 / 12), ("[1, [2, 3], 4]", "xxx-", 700 / 12),
        ("[1, [2, 3], 4]", "xxxx", 100),
        # The first and the second are one step.
        ("[[1, 2], 3, 4]", "--xx", 0), ("[[1, 2], 3, 4]", "-xxx", 10), ("[[1, 2], 3, 4]", "x-xx", 10),
        ("[[1, 2], 3, 4]", "xx-x", 20), ("[[1, 2], 3, 4]", "xxx-", 50), ("[[1, 2], 3, 4]", "xxxx", 100),
    ],
)  # fmt: skip
def test_groups_worked_by_hand(rule: str | None, right: str, worth: float) -> None:
    assert earned(marks(right), rule) == pytest.approx(worth)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("right", EVERY)
def test_a_group_earns_no_more_than_its_accuracy_and_an_answer_more_never_costs(
    rule: str | None, right: list[bool]
) -> None:
    worth = earned(right, rule)
    assert 0 <= worth <= 100 * sum(right) / 4
    assert (worth == 100) == all(right)
    for place in range(4):
        better = [*right[:place], True, *right[place + 1 :]]
        assert earned(better, rule) >= worth


@pytest.mark.parametrize("right", EVERY)
def test_the_authors_code_says_the_same(right: list[bool]) -> None:
    theirs = importlib.import_module("lmms_eval.tasks.videomme_v2.utils")
    scores = list(map(int, right))
    assert consistency(right) == theirs.cal_relevance(scores)
    for rule in STEPS:
        assert coherence(right, rule) == theirs.cal_logic(scores, rule)


# --- a set of groups ----------------------------------------------------------------------------------------


def group(
    video: str, outcomes: Sequence[Outcome], rule: str | None = None, level: str = ""
) -> list[ScoredSample]:
    kind = {"group_type": "relevance"} if rule is None else {"group_type": "logic", "group_structure": rule}
    return [
        ScoredSample(
            outcome,
            video,
            {**kind, "position": str(place), **({"level": level} if level and place == 4 else {})},
        )
        for place, outcome in enumerate(outcomes, start=1)
    ]


def by_part(samples: Sequence[ScoredSample]) -> dict[str, GroupScore]:
    return {score.part: score for score in group_scores(samples)}


def test_a_set_is_the_mean_of_its_groups_by_kind_and_by_the_level_of_the_last_question() -> None:
    samples = [
        *group("001", [RIGHT, RIGHT, RIGHT, RIGHT], level="1"),
        *group("002", [RIGHT, WRONG, RIGHT, SILENT], level="2"),  # 25
        *group("003", [RIGHT, WRONG, RIGHT, RIGHT], "[1, 2, 3, 4]", level="2"),  # 6.25
    ]
    found = by_part(samples[::-1])  # in whichever order they come
    assert list(found) == ["all", "consistency", "coherence", "level 1", "level 2"]
    assert found["all"].score == pytest.approx((100 + 25 + 6.25) / 3)
    assert found["all"].accuracy == pytest.approx(100 * 9 / 12)
    assert found["consistency"].score == pytest.approx(62.5)
    assert found["coherence"].score == pytest.approx(6.25)
    assert found["level 2"].score == pytest.approx((25 + 6.25) / 2)
    assert (found["all"].groups, found["level 1"].groups) == (3, 1)


def test_one_group_is_one_observation() -> None:
    """Student's interval, worked by hand: mean 32.8125, standard error 7.8125, t of three degrees 3.1824."""
    half, more = [RIGHT, WRONG, RIGHT, WRONG], [RIGHT, RIGHT, WRONG, RIGHT]
    samples = [each for video in ("001", "002", "003") for each in group(video, half)] + group("004", more)
    found = by_part(samples)["all"]
    assert found.score == 32.8125
    assert found.interval95 == pytest.approx((32.8125 - 3.1824 * 7.8125, 32.8125 + 3.1824 * 7.8125), abs=1e-3)
    assert by_part(samples[:4])["all"].interval95 is None


def test_a_failed_question_leaves_its_group_out_and_bounds_it() -> None:
    samples = [
        *group("001", [RIGHT, RIGHT, WRONG, WRONG]),  # 25
        *group("002", [RIGHT, RIGHT, FAILED, RIGHT]),  # 56.25 or 100
        *group("003", [RIGHT, FAILED, RIGHT, RIGHT], "[1, 2, 3, 4]"),  # 6.25 or 100
    ]
    found = by_part(samples)["all"]
    assert (found.score, found.groups, found.left_out) == (25, 1, 2)
    assert found.bounds == pytest.approx(((25 + 56.25 + 6.25) / 3, (25 + 100 + 100) / 3))


def test_a_group_that_was_not_asked_as_a_whole_is_in_no_score() -> None:
    found = by_part([*group("001", [RIGHT] * 4), *group("002", [RIGHT] * 4)[:3]])["all"]
    assert (found.score, found.groups, found.left_out, found.bounds) == (100, 1, 1, (100, 100))
    nothing = by_part(group("001", [FAILED] * 4)[:2])["all"]
    assert (nothing.score, nothing.accuracy, nothing.interval95, nothing.bounds) == (None, None, None, None)


OUTCOMES = st.lists(st.sampled_from([RIGHT, WRONG, SILENT, FAILED]), min_size=4, max_size=4)


@given(st.lists(st.tuples(OUTCOMES, st.sampled_from(RULES)), min_size=1, max_size=6))
def test_what_holds_for_every_set(groups: list[tuple[list[Outcome], str | None]]) -> None:
    samples = [each for at, (outcomes, rule) in enumerate(groups) for each in group(str(at), outcomes, rule)]
    found = by_part(samples)["all"]
    assert found.groups + found.left_out == len(groups)
    assert found.bounds is not None
    assert 0 <= found.bounds[0] <= found.bounds[1] <= 100
    if found.score is not None:
        assert found.accuracy is not None
        assert 0 <= found.score <= found.accuracy + 1e-9
        if found.interval95 is not None:
            assert found.interval95[0] - 1e-9 <= found.score <= found.interval95[1] + 1e-9
    if not found.left_out:
        assert found.bounds == pytest.approx((found.score, found.score))
