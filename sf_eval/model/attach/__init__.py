"""The slow path on other people's models: attach, detach, save, load, and ask (docs/attaching.md)."""

from sf_eval.model.attach.attaching import (
    attach_slow_path,
    detach_slow_path,
    freeze_all_but_slow_path,
    slow_parameter_groups,
)
from sf_eval.model.attach.context import SlowContext, SlowVideo
from sf_eval.model.attach.decoder import rotation_of
from sf_eval.model.attach.inspecting import has_slow_path
from sf_eval.model.attach.prompts import (
    ShortPrompt,
    encode_videos,
    fast_features,
    shorten,
    slow_context,
    slow_fast_inputs,
)
from sf_eval.model.attach.saving import save_slow_path
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.attach.storing import load_slow_path

__all__ = [
    "ShortPrompt",
    "SlowContext",
    "SlowPathSettings",
    "SlowVideo",
    "attach_slow_path",
    "detach_slow_path",
    "encode_videos",
    "fast_features",
    "freeze_all_but_slow_path",
    "has_slow_path",
    "load_slow_path",
    "rotation_of",
    "save_slow_path",
    "shorten",
    "slow_context",
    "slow_fast_inputs",
    "slow_parameter_groups",
]
