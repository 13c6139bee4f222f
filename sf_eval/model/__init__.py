"""The slow-fast video MLLM as a transformers model: torch, transformers and timm only."""

from sf_eval.model.cache import SlowFastCache
from sf_eval.model.config import SlowFastConfig, VisionConfig
from sf_eval.model.modeling import (
    VIDEO_TOKEN_ID,
    SlowFastForConditionalGeneration,
    SlowFastModel,
    VideoFeatures,
)
from sf_eval.model.processor import SlowFastProcessor

__all__ = [
    "VIDEO_TOKEN_ID",
    "SlowFastCache",
    "SlowFastConfig",
    "SlowFastForConditionalGeneration",
    "SlowFastModel",
    "SlowFastProcessor",
    "VideoFeatures",
    "VisionConfig",
]
