"""LLaVA-NeXT-Video: frames of one size, pooled 2 x 2 by the model, one run of tokens a video."""

from __future__ import annotations

from sf_eval.inference.families.llava_onevision import LlavaTraits
from sf_eval.inference.families.transformers_family import TransformersFamily


class LlavaNextVideoTraits(LlavaTraits):
    model_type = "llava_next_video"


FAMILY = TransformersFamily(LlavaNextVideoTraits())
