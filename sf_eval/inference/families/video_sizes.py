"""How large the longest video is to a model, by its own processor, without any pictures."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import torch

from sf_eval.core.cards import VISUAL_TOKENS
from sf_eval.core.video_size import CODED, VideoSize
from sf_eval.inference.families.options import Options
from sf_eval.inference.families.prompts import PromptWriter
from sf_eval.inference.families.transformers_video import VideoTraits, shortened
from sf_eval.model.attach.grids import pooled_grid
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.errors import PromptError, SlowPathError
from sf_eval.video import ClipPlan, SamplingRule, VideoInfo


def largest_video(
    processor: Any,
    writer: PromptWriter,
    traits: VideoTraits,
    rule: SamplingRule,
    options: Options,
    pooled: SlowPathSettings | None,
    coded: tuple[int, int] = CODED,
) -> VideoSize | None:
    """The most frames that `rule` shows, of pictures of `coded` height and width; None where such a video
    could not be shown.

    The processor is run on tensors without data, so what it says is what it will do.
    """
    pixels = torch.empty(rule.num_frames, 3, *coded, dtype=torch.uint8, device="meta")
    try:
        made = traits.process(processor, pixels, _shown(rule, coded), options)
    except Exception:  # of transformers': a forecast hinders no run, and what never works each video will say
        return None
    try:
        written = writer.collapsed(made.written)
        tail = traits.layout.tail
        grid = traits.grid(made, sum(written.runs) - tail)
        fast = grid if pooled is None else pooled_grid(grid, pooled)
        stride = 1 if pooled is None else pooled.temporal_stride
        placeholder = shortened(traits.layout, written, writer.token, grid, fast, tail, stride)
        ids, starts = writer.ids("", placeholder)
    except (PromptError, SlowPathError):  # each of its videos will say so
        return None
    visual, end = prod(fast) + tail, starts[-1] + placeholder.runs[-1]
    return VideoSize(
        frames=rule.num_frames,
        coded=coded,
        resized=_resized(processor, made.pixels, rule.num_frames, coded),
        values=made.pixels.numel(),
        grid=grid,
        visual_tokens=visual,
        text_tokens=end - visual,
        markup_after=len(ids) - end,
    )


def writer_of(processor: Any, traits: VideoTraits, model: Any) -> PromptWriter:
    """Writes the prompts of a model."""
    token_id = traits.layout.placeholder(model)
    return PromptWriter(processor, processor.tokenizer.convert_ids_to_tokens(token_id), token_id)


def with_visual_tokens(
    model: Any, processor: Any, pooled: SlowPathSettings | None, *, attached: bool
) -> dict[str, Any]:
    """A model's configuration, and in it how its videos are sized and pooled, and which layers read all
    tokens beside the prompt."""
    return {
        **model.config.to_dict(),
        "video_processor": processor.video_processor.to_dict(),
        VISUAL_TOKENS: {
            "temporal_stride": 1 if pooled is None else pooled.temporal_stride,
            "spatial_stride": 1 if pooled is None else pooled.spatial_stride,
            "layers": list(pooled.layers) if pooled is not None and attached else [],
        },
    }


def _shown(rule: SamplingRule, coded: tuple[int, int]) -> ClipPlan:
    """As if the video had no other frames."""
    rate = rule.target_fps or 1.0
    indices = tuple(range(rule.num_frames))
    height, width = coded
    info = VideoInfo(Path("any"), rule.num_frames, rate, rule.num_frames / rate, width, height, "any")
    return ClipPlan(info, indices, tuple(index / rate for index in indices))


def _resized(processor: Any, pixels: torch.Tensor, frames: int, coded: tuple[int, int]) -> int:
    """Where a processor crops, it brings the shorter side to its size before, and keeps the shape."""
    videos = processor.video_processor
    shorter = videos.size.shortest_edge if getattr(videos, "do_center_crop", False) else None
    if not shorter or videos.size.longest_edge:
        return pixels.numel()
    return int(frames * 3 * shorter * shorter * max(coded) // min(coded))
