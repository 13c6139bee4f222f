"""LLaVA-OneVision, and what it shares with LLaVA-NeXT-Video: frames of one size, a run of tokens a video."""

from __future__ import annotations

from typing import Any

import torch

from sf_eval.inference.families.options import Options
from sf_eval.inference.families.transformers_family import TransformersFamily
from sf_eval.inference.families.transformers_video import Processed, VideoTraits, preprocessed
from sf_eval.video import ClipPlan


class LlavaTraits(VideoTraits):
    """Frames of one size, through the tower one by one."""

    rule_kind = "starts"

    def process(self, processor: Any, pixels: torch.Tensor, shown: ClipPlan, options: Options) -> Processed:
        output, _ = preprocessed(processor, pixels, shown)
        frames = output["pixel_values_videos"][0]  # [T, 3, S, S]
        # The text depends on the sizes alone: pictures without data are shown as one value, spread out.
        sized = {"pixel_values_videos": [torch.zeros(()).expand(frames.shape)]} if frames.is_meta else output
        written = processor.replace_video_token(sized, video_idx=0)
        return Processed(frames, 1, len(frames), {}, written)

    def piece(self, inputs: dict[str, Any], pixels: torch.Tensor, frames: int) -> dict[str, Any]:
        return {"pixel_values_videos": pixels[None]}

    def describe(self, processor: Any, options: Options) -> str:
        videos = processor.video_processor
        return f"Frames are sized by {type(videos).__name__} to {dict(videos.size)}."


class LlavaOnevisionTraits(LlavaTraits):
    model_type = "llava_onevision"


FAMILY = TransformersFamily(LlavaOnevisionTraits())
