"""What a slow path needs of somebody else's decoder, and whether it is there."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from sf_eval.model.attach.classes import REGISTRY, own_forward
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.errors import SlowPathError

_PROJECTIONS = ("q_proj", "k_proj", "v_proj", "o_proj")
_ROTATE = "apply_rotary_pos_emb"


def plain_model(model: Any) -> Any:
    """The model itself, out of peft's wrapper."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def decoder_of(model: Any) -> Any:
    """The language model with its list of layers.

    Raises:
        SlowPathError: not a transformers model with decoder layers.
    """
    get = getattr(model, "get_decoder", None)
    decoder = get() if get is not None else None
    if not isinstance(getattr(decoder, "layers", None), nn.ModuleList):
        raise SlowPathError(
            f"{type(model).__name__} has no decoder with a list of layers, so no slow path can be attached."
        )
    return decoder


def check_layer(layer: Any, settings: SlowPathSettings) -> None:
    """Refuse a decoder layer in which a slow path would not work, or not be read.

    Raises:
        SlowPathError: with the reason.
    """
    attention = getattr(layer, "self_attn", None)
    if attention is None:
        raise SlowPathError(f"{type(layer).__name__} has no self_attn: it is another kind of layer.")
    name = type(attention).__name__
    hooked = any(hasattr(module, "_hf_hook") for module in layer.modules())
    if hooked or "forward" in vars(attention):
        raise SlowPathError(
            f"{name} carries a hook that hides its class's forward, or its weights.",
            hint="Attach before device_map or accelerate's dispatch_model.",
        )
    forward = own_forward(type(attention))
    if REGISTRY not in forward.__code__.co_names:
        raise SlowPathError(
            f"{name} does not use transformers' attention interface, where a slow path is added."
        )
    if not forward.__code__.co_flags & 0x08:  # **kwargs
        raise SlowPathError(f"{name} takes no keyword arguments, so slow tokens cannot reach it.")
    for part in _PROJECTIONS:
        weight = getattr(base_linear(getattr(attention, part, None)), "weight", None)
        if weight is None or weight.ndim != 2 or not weight.is_floating_point():
            raise SlowPathError(f"{name} has no plain linear {part} (a quantised one cannot be copied from).")
    if getattr(layer, "input_layernorm", None) is None:
        raise SlowPathError(f"{type(layer).__name__} has no input_layernorm for the slow tokens to pass.")
    if getattr(attention, "head_dim", None) is None or getattr(attention, "layer_idx", None) is None:
        raise SlowPathError(f"{name} does not say its head_dim and layer_idx.")
    if base_linear(attention.k_proj).weight.shape != base_linear(attention.v_proj).weight.shape:
        raise SlowPathError(f"{name} has keys and values of different widths.")
    if settings.rope == "own" and _ROTATE not in forward.__globals__:
        raise SlowPathError(
            f"{name} does not rotate its keys by {_ROTATE}, so they have no places.",
            hint='Attach with rope="published".',
        )


def base_linear(projection: Any) -> Any:
    """A linear layer itself, out of peft's wrapper."""
    return getattr(projection, "base_layer", projection)


def rotation_function(attention: Any) -> Any:
    """The function by which this attention rotates queries and keys, or None."""
    return own_forward(type(attention)).__globals__.get(_ROTATE)


def rotation_of(model: Any, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosine and sine [1, N, d] of places in the prompt: [N], or [3, N] under M-RoPE; fractions are fine.

    Raises:
        SlowPathError: a decoder without one table of rotations for all its layers.
    """
    model = plain_model(model)
    decoder = decoder_of(model)
    table = getattr(decoder, "rotary_emb", None)
    if table is None:
        raise SlowPathError(
            f"{type(decoder).__name__} has no rotary_emb.", hint='Attach with rope="published".'
        )
    like = torch.empty(1, device=places.device, dtype=torch.float32)
    cosine, sine = table(like, places[..., None, :])
    return cosine, sine
