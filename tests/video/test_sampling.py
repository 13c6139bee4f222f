"""Which frames are shown: the published rule, the uniform rule, spans."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.core.errors import UsageError
from sf_eval.core.paths import PACKAGE
from sf_eval.video import SamplingRule, published_indices, uniform_indices
from sf_eval.video.sampling import span_indices

RECORDED = PACKAGE / "assets" / "recorded" / "protocol" / "frame_indices.jsonl"
CASES = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['total_frames']}@{case['fps']}")
def test_published_indices_equal_the_recorded_ones(case):
    indices = published_indices(
        case["total_frames"], case["fps"], num_frames=case["num_frames"], target_fps=case["target_fps"]
    )
    assert indices == case["indices"]


def test_ties_round_to_even_as_python_rounds():
    # 25 / 2 = 12.5 frames a step -> 12; 75 / 2 = 37.5 -> 38
    assert published_indices(50, 25, num_frames=64)[:3] == [0, 12, 24]
    assert published_indices(100, 75, num_frames=64)[:3] == [0, 38, 76]
    # 5 candidates for 2: (1 * 2.5 - 1, 2 * 2.5 - 1) = (1.5, 4) -> candidates 2 and 4
    assert published_indices(5, 2, num_frames=2) == [2, 4]


def test_a_rate_below_the_target_takes_every_frame():
    assert published_indices(5, 0.5, num_frames=64, target_fps=2) == [0, 1, 2, 3, 4]


def test_exactly_as_many_candidates_as_wanted_are_all_taken():
    assert published_indices(64 * 12, 24, num_frames=64) == list(range(0, 64 * 12, 12))


def test_no_frames_give_no_indices():
    assert published_indices(0, 24, num_frames=8) == []
    assert uniform_indices(0, 8) == []


@given(
    total=st.integers(1, 300_000),
    fps=st.floats(0.1, 240),
    num_frames=st.integers(1, 1024),
    target_fps=st.floats(0.1, 30),
)
def test_published_indices_are_distinct_existing_and_at_most_the_budget(total, fps, num_frames, target_fps):
    indices = published_indices(total, fps, num_frames=num_frames, target_fps=target_fps)
    candidates = math.ceil(total / max(round(fps / target_fps), 1))
    assert len(indices) == min(num_frames, candidates)
    assert indices == sorted(set(indices))
    assert indices[0] >= 0
    assert indices[-1] < total


@given(total=st.integers(1, 300_000), num_frames=st.integers(2, 1024))
def test_uniform_indices_span_the_video(total, num_frames):
    indices = uniform_indices(total, num_frames)
    assert len(indices) == min(total, num_frames)
    assert len(set(indices)) == len(indices)
    assert (indices[0], indices[-1]) == (0, total - 1)


def test_uniform_indices_round_down():
    assert uniform_indices(10, 4) == [0, 3, 6, 9]
    assert uniform_indices(11, 4) == [0, 3, 6, 10]
    assert uniform_indices(10, 1) == [0]


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        (0.25, 0.75, [1, 2, 3]),  # both ends belong to it
        (None, 0.3, [0, 1]),
        (0.6, None, [3, 4, 5, 6, 7]),
        (0.3, 0.4, [1]),  # between two frames: the one on display
        (0.5, 0.5, [2]),
        (1.9, 60.0, [7]),  # on the last frame, to the far side of the end
        (0, 60.0, list(range(8))),
    ],
)
def test_a_span_has_the_frames_between_its_times(start_s, end_s, expected):
    assert list(span_indices([i / 4 for i in range(8)], start_s, end_s)) == expected


def test_a_span_follows_the_times_of_a_variable_frame_rate():
    assert list(span_indices([0, 0.1, 0.2, 3.0, 3.1, 6.0], 2.0, 4.0)) == [3, 4]


@pytest.mark.parametrize(
    ("start_s", "end_s"), [(-1, 1), (1, 0.5), (30, 31), (math.nan, 1), (0, math.nan), (math.inf, None)]
)
def test_a_span_outside_the_video_is_refused(start_s, end_s):
    with pytest.raises(ValueError, match="span"):
        span_indices([i / 4 for i in range(8)], start_s, end_s)


@pytest.mark.parametrize(
    "rule", [("publishd", 8, 2.0), ("published", 0, 2.0), ("published", 8, 0.0), ("published", 8, math.nan)]
)
def test_a_rule_that_cannot_be_meant_is_refused(rule):
    with pytest.raises(UsageError):
        SamplingRule(*rule)
