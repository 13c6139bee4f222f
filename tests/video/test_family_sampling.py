"""Frames of the families' own rules are those that their video processors take."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from transformers import (
    InternVLVideoProcessor,
    LlavaNextVideoVideoProcessor,
    LlavaOnevisionVideoProcessor,
    Qwen2VLVideoProcessor,
    Qwen3VLVideoProcessor,
)
from transformers.video_utils import VideoMetadata

from sf_eval.video import SamplingRule
from sf_eval.video.sampling import rule_indices

VIDEOS = [(4, 30.0), (7, 25.0), (60, 29.97), (301, 30.0), (1000, 23.976), (4321, 60.0), (90_001, 29.97)]
BY_RATE = {"rate": Qwen2VLVideoProcessor, "rate-to-end": Qwen3VLVideoProcessor}
BY_NUMBER = {
    "starts": (LlavaOnevisionVideoProcessor, LlavaNextVideoVideoProcessor),
    "middles": (InternVLVideoProcessor,),
}


def same(found: list[int], wanted: Iterable[int]) -> None:
    """But for what torch rounds up: in single precision, a place just below a whole number is that number."""
    later = [int(theirs) - ours for ours, theirs in zip(found, wanted, strict=True)]
    assert set(later) <= {0, 1}
    assert sum(later) <= len(later) / 100


@pytest.mark.parametrize("kind", BY_RATE)
@pytest.mark.parametrize("most", [16, 64, 768])
@pytest.mark.parametrize(("total", "fps"), VIDEOS)
def test_by_a_rate(kind: str, most: int, total: int, fps: float) -> None:
    processor = BY_RATE[kind](max_frames=most, min_frames=4)
    wanted = processor.sample_frames(VideoMetadata(total_num_frames=total, fps=fps), fps=2.0)
    rule = SamplingRule(kind, most, 2.0, 4)
    same(rule_indices(rule, total, fps), wanted)


@pytest.mark.parametrize(("kind", "processor"), [(k, p) for k, each in BY_NUMBER.items() for p in each])
@pytest.mark.parametrize("count", [1, 8, 31, 64])
@pytest.mark.parametrize(("total", "fps"), VIDEOS)
def test_by_a_number(kind: str, processor: type, count: int, total: int, fps: float) -> None:
    metadata = VideoMetadata(total_num_frames=total, fps=fps)
    wanted = processor().sample_frames(metadata, num_frames=min(count, total))
    rule = SamplingRule(kind, count)
    same(rule_indices(rule, total, fps), wanted[: min(count, total)])


@pytest.mark.parametrize("kind", [*BY_RATE, *BY_NUMBER])
def test_the_shortest_videos_show_what_they_have(kind: str) -> None:
    assert rule_indices(SamplingRule(kind, 8, 2.0, 4), 0, 30.0) == []
    assert rule_indices(SamplingRule(kind, 8, 2.0, 4), 1, 30.0) == [0]
    assert set(rule_indices(SamplingRule(kind, 8, 2.0, 4), 3, 30.0)) <= {0, 1, 2}
