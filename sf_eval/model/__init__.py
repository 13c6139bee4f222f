"""The slow-fast video MLLM as a transformers model: torch, transformers and timm only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sf_eval.model.cache import SlowFastCache
from sf_eval.model.config import SlowFastConfig, VisionConfig
from sf_eval.model.modeling import (
    VIDEO_TOKEN_ID,
    SlowFastForConditionalGeneration,
    SlowFastModel,
    VideoFeatures,
)
from sf_eval.model.processor import SlowFastProcessor

if TYPE_CHECKING:
    from sf_eval.model.attach import (
        attach_slow_path,
        detach_slow_path,
        load_slow_path,
        save_slow_path,
    )

__all__ = [
    "VIDEO_TOKEN_ID",
    "SlowFastCache",
    "SlowFastConfig",
    "SlowFastForConditionalGeneration",
    "SlowFastModel",
    "SlowFastProcessor",
    "VideoFeatures",
    "VisionConfig",
    "attach_slow_path",
    "detach_slow_path",
    "load_slow_path",
    "save_slow_path",
]


def __getattr__(name: str) -> Any:
    """The functions of `sf_eval.model.attach`, which is imported by who needs it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import sf_eval.model.attach as attach

    return getattr(attach, name)
