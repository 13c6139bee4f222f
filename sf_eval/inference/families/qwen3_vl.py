"""Qwen3-VL: a run of tokens for two frames each, their time in the text before; features at three depths."""

from __future__ import annotations

from sf_eval.inference.families.qwen2_5_vl import QwenTraits
from sf_eval.inference.families.transformers_family import TransformersFamily


class Qwen3VLTraits(QwenTraits):
    model_type = "qwen3_vl"
    rule_kind = "rate-to-end"


FAMILY = TransformersFamily(Qwen3VLTraits())
