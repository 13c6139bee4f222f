"""Pooling and the fast path's rules on numbers that can be checked by hand."""

from __future__ import annotations

import pytest
import torch

from sf_eval.model.tokens import average_in_time, fast_tokens, pool_frames, sampled_frames


def video(*values: float) -> torch.Tensor:
    """One token a frame, of width 1: [T, 1, 1, 1]."""
    return torch.tensor(values).view(-1, 1, 1, 1)


@pytest.mark.parametrize(
    ("frames", "stride", "least", "expected"),
    [
        (8, 1, 2, list(range(8))),
        (8, 2, 2, [0, 2, 4, 6]),
        (9, 2, 2, [0, 2, 4, 6]),
        (7, 3, 4, [0, 1, 3, 5]),  # 7 // 3 = 2 is too few: 4 frames at int(i * 7 / 4)
        (3, 4, 16, [0, 1, 2]),  # fewer than the minimum: all
        (128, 2, 16, list(range(0, 128, 2))),
    ],
)
def test_sampled_frames(frames: int, stride: int, least: int, expected: list[int]) -> None:
    assert sampled_frames(frames, stride, least) == expected


@pytest.mark.parametrize(
    ("values", "stride", "least", "expected"),
    [
        ([0, 2, 4, 6], 2, 1, [1, 5]),
        ([0, 2, 4, 6, 100], 2, 1, [1, 5]),  # the fifth frame fills no window
        ([0, 3, 6], 1, 8, [0, 3, 6]),
        ([0, 3, 6], 4, 8, [0, 3, 6]),  # fewer frames than the minimum: each for itself
        ([0, 1, 2, 3, 4], 4, 2, [1, 3]),  # adaptive: frames 0-2 and 2-4
        ([4, 8], 4, 1, [6]),  # shorter than one window
    ],
)
def test_average_in_time(values: list[float], stride: int, least: int, expected: list[float]) -> None:
    assert average_in_time(video(*map(float, values)), stride, least).flatten().tolist() == expected


@pytest.mark.parametrize("frames", [5, 13, 16, 33])
@pytest.mark.parametrize("least", [1, 4, 16])
def test_adaptive_windows_are_torchs(frames: int, least: int) -> None:
    values = torch.randn(frames, 2, 2, 3)
    ours = average_in_time(values, frames + 1, least)
    theirs = torch.nn.functional.adaptive_avg_pool1d(values.flatten(1).T, min(frames, least)).T
    torch.testing.assert_close(ours.flatten(1), theirs)


def test_pooling_averages_squares_and_drops_an_odd_edge() -> None:
    grid = torch.arange(25.0).view(1, 5, 5, 1)
    assert pool_frames(grid, 2).flatten().tolist() == [3, 5, 13, 15]
    assert pool_frames(grid, 1) is grid


def test_a_single_image_is_only_averaged_in_space() -> None:
    grid = torch.arange(16.0).view(1, 4, 4, 1)
    rules = {"sampling_stride": 2, "temporal_stride": 4, "min_fast_frames": 16}
    assert fast_tokens(grid, spatial_stride=1, **rules).flatten().tolist() == list(range(16))
    assert fast_tokens(grid, spatial_stride=2, **rules).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]


@pytest.mark.parametrize(("frames", "sampling", "temporal"), [(64, 1, 4), (96, 1, 6), (128, 2, 4)])
def test_every_released_variant_has_the_budget_of_16_frames(
    frames: int, sampling: int, temporal: int
) -> None:
    pooled = torch.zeros(frames, 9, 9, 2)
    tokens = fast_tokens(
        pooled, sampling_stride=sampling, temporal_stride=temporal, spatial_stride=1, min_fast_frames=16
    )
    assert tokens.shape == (16 * 81, 2)
