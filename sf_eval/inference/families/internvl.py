"""InternVL: every frame is an image with a run of its own, "Frame 1: ...", and no time."""

from __future__ import annotations

from typing import Any

import torch

from sf_eval.inference.families.llava_onevision import LlavaTraits
from sf_eval.inference.families.transformers_family import TransformersFamily


class InternVLTraits(LlavaTraits):
    model_type = "internvl"
    rule_kind = "middles"

    def piece(self, inputs: dict[str, Any], pixels: torch.Tensor, frames: int) -> dict[str, Any]:
        return {"pixel_values": pixels}


FAMILY = TransformersFamily(InternVLTraits())
