"""Whether a model has a slow path, which one, and where its modules are."""

from __future__ import annotations

from typing import Any

from torch import nn

from sf_eval.model.attach.decoder import decoder_of, plain_model
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.errors import SlowPathError

ADDED_MODULES = ("slow_kv_proj", "slow_gate")


def has_slow_path(model: Any) -> bool:
    return isinstance(getattr(plain_model(model), "slow_path", None), SlowPathSettings)


def settings_of(model: Any) -> SlowPathSettings:
    """What the model's slow path is.

    Raises:
        SlowPathError: it has none.
    """
    if not has_slow_path(model):
        raise SlowPathError("the model has no slow path.", hint="Attach one with attach_slow_path.")
    settings: SlowPathSettings = plain_model(model).slow_path
    return settings


def slow_modules(model: Any) -> dict[str, nn.Module]:
    """The modules that attaching added, by name."""
    inner = plain_model(model)
    layers = decoder_of(inner).layers
    return {
        f"layers.{index}.{name}": getattr(layers[index].self_attn, name)
        for index in settings_of(inner).layers
        for name in ADDED_MODULES
    }
