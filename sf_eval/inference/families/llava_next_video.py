"""LLaVA-NeXT-Video: frames of one size, pooled 2 x 2 by the model, one run of tokens a video."""

from __future__ import annotations

from typing import Any

from sf_eval.inference.families.llava_onevision import LlavaTraits
from sf_eval.inference.families.transformers_family import TransformersFamily


class LlavaNextVideoTraits(LlavaTraits):
    model_type = "llava_next_video"

    def tokens(self, processor: Any, model: Any, frames: int) -> int:
        vision = model.config.vision_config
        side = int(vision.image_size) // int(vision.patch_size) // int(model.config.spatial_pool_stride)
        return frames * side**2


FAMILY = TransformersFamily(LlavaNextVideoTraits())
