"""Qwen2.5-VL: two frames a token in time, M-RoPE with absolute time, sizes by the video's own."""

from __future__ import annotations

import math
from typing import Any

import torch

from sf_eval.inference.families.options import Options
from sf_eval.inference.families.transformers_family import TransformersFamily
from sf_eval.inference.families.transformers_video import Processed, VideoTraits, preprocessed
from sf_eval.model.attach.grids import Grid
from sf_eval.video import ClipPlan


class QwenTraits(VideoTraits):
    """What Qwen2.5-VL and Qwen3-VL share."""

    least = 4
    frames_a_token = 2
    options = VideoTraits.options | {"places", "cap_pixels_per_frame"}

    def process(self, processor: Any, pixels: torch.Tensor, shown: ClipPlan, options: Options) -> Processed:
        if len(pixels) == 1:  # the processor pairs frames, and cannot size a single one
            pixels = pixels.expand(2, -1, -1, -1)
            shown = ClipPlan(shown.info, shown.indices * 2, shown.times_s * 2)
        cap = options.cap_pixels_per_frame
        settings = {} if cap is None else {"cap_pixels_per_frame": cap}
        output, metadata = preprocessed(processor, pixels, shown, **settings)
        frames, height, width = output["video_grid_thw"][0].tolist()
        return Processed(
            pixels=output["pixel_values_videos"],
            rows=height * width,
            frames=frames,
            inputs={"grid": (height, width)},
            written=processor.replace_video_token(output, video_idx=0),
            seconds=processor.video_processor.temporal_patch_size / metadata.sampled_fps,
        )

    def piece(self, inputs: dict[str, Any], pixels: torch.Tensor, frames: int) -> dict[str, Any]:
        grid = torch.tensor([[frames, *inputs["grid"]]], device=pixels.device)
        return {"pixel_values_videos": pixels, "video_grid_thw": grid}

    def grid(self, made: Processed, tokens: int) -> Grid:
        height, width = made.inputs["grid"]
        merge = math.isqrt(made.rows * made.frames // tokens)
        return made.frames, height // merge, width // merge

    def describe(self, processor: Any, options: Options) -> str:
        videos = processor.video_processor
        cap = options.cap_pixels_per_frame
        cap = getattr(videos, "cap_pixels_per_frame", None) if cap is None else cap
        return (
            f"Frames are sized by {type(videos).__name__} with {dict(videos.size)}, cap_pixels_per_frame "
            f"{'unset' if cap is None else str(cap).lower()}."
        )


class Qwen25VLTraits(QwenTraits):
    model_type = "qwen2_5_vl"
    rule_kind = "rate"

    def interval(self, model: Any, seconds: float) -> float:
        return float(model.config.vision_config.tokens_per_second) * seconds


FAMILY = TransformersFamily(Qwen25VLTraits())
