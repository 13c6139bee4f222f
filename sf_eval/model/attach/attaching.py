"""Give another model's decoder a slow path, or take it away again."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import Any, TypeVar

import torch
from torch import nn

from sf_eval.core.errors import UsageError
from sf_eval.model.attach.classes import attached_attention, attached_model
from sf_eval.model.attach.cross_attention import SlowGate
from sf_eval.model.attach.decoder import (
    base_linear,
    check_layer,
    decoder_of,
    plain_model,
    rotation_function,
)
from sf_eval.model.attach.inspecting import ADDED_MODULES, has_slow_path, settings_of, slow_modules
from sf_eval.model.attach.saving import save_attached
from sf_eval.model.attach.settings import SlowPathSettings, read_settings
from sf_eval.model.errors import SlowPathError

__all__ = [
    "attach",
    "attach_slow_path",
    "detach_slow_path",
    "freeze_all_but_slow_path",
    "has_slow_path",
    "settings_of",
    "slow_modules",
    "slow_parameter_groups",
]

_Model = TypeVar("_Model", bound=nn.Module)
_ADDED_REFERENCES = ("slow_norm_of", "slow_rotate_of")


def attach_slow_path(
    model: _Model,
    *,
    every_n_layers: int | None = None,
    layers: Iterable[int] | None = None,
    fast_tokens: float | Fraction | None = None,
    temporal_stride: int | None = None,
    spatial_stride: int | None = None,
    gating: str = "dynamic-tanh-warmup",
    rope: str = "own",
) -> _Model:
    """Give a model's decoder layers gated cross-attention to slow tokens, in place.

    Until its gates open the output is the plain model's on the same fast tokens, bit for bit. Keys and values
    of slow tokens begin as copies of the layer's own; the warm-up gates begin at 0. The classes of the model
    and of these layers' attention become subclasses of themselves.

    Args:
        model: of transformers, with a decoder that uses its attention interface; in peft's wrapper or not.
        every_n_layers: layers 0, n, 2n, ... read slow tokens; or name them in `layers`, layer 0 among them.
        fast_tokens: 1/n of the slow tokens (`settings` says how time and space share it); or give
            `temporal_stride` and `spatial_stride`. Neither: 4 frames and 2 x 2 cells, 1/16.
        gating: "dynamic-tanh-warmup", the published one, or "dynamic-warmup".
        rope: "own" rotates a slow key at the place of the fast token it is pooled into, so that *when* can be
            asked; "published" leaves slow keys unrotated.

    Returns:
        The same model.

    Raises:
        UsageError: arguments that contradict each other.
        SlowPathError: a model that has a slow path already or cannot have one, with the reason.
    """
    inner = plain_model(model)
    decoder = decoder_of(inner)
    if has_slow_path(inner):
        raise SlowPathError("the model has a slow path already.", hint="Take it away with detach_slow_path.")
    settings = read_settings(
        len(decoder.layers),
        every_n_layers=every_n_layers,
        layers=layers,
        fast_tokens=fast_tokens,
        temporal_stride=temporal_stride,
        spatial_stride=spatial_stride,
        gating=gating,
        rope=rope,
    )
    attach(inner, settings)
    return model


def attach(model: Any, settings: SlowPathSettings) -> None:
    """As `attach_slow_path`, from settings."""
    layers = decoder_of(model).layers
    for index in settings.layers:
        check_layer(layers[index], settings)
    for index in settings.layers:
        _attach_layer(layers[index], settings)
    model.__class__ = attached_model(type(model), save_attached)
    model.slow_path = settings


def detach_slow_path(model: _Model) -> _Model:
    """Take the slow path away: the model is again what it was before, class included.

    Raises:
        SlowPathError: it has none.
    """
    inner = plain_model(model)
    settings = settings_of(inner)
    for index in settings.layers:
        attention = decoder_of(inner).layers[index].self_attn
        for name in (*ADDED_MODULES, *_ADDED_REFERENCES):
            delattr(attention, name)
        attention.__class__ = type(attention).__bases__[0]
    inner.__class__ = type(inner).__bases__[0]
    del inner.slow_path
    return model


def slow_parameter_groups(model: Any, learning_rate: float) -> list[dict[str, Any]]:
    """Groups for an optimiser: keys, values and gates at `learning_rate`, warm-up gates at ten times it."""
    named = [
        (name, parameter)
        for module in slow_modules(model).values()
        for name, parameter in module.named_parameters()
    ]
    warm_up = [parameter for name, parameter in named if name.endswith("warm_up")]
    others = [parameter for name, parameter in named if not name.endswith("warm_up")]
    return [{"params": others, "lr": learning_rate}, {"params": warm_up, "lr": 10 * learning_rate}]


def freeze_all_but_slow_path(model: nn.Module) -> None:
    """Let the slow path alone learn."""
    model.requires_grad_(False)
    for module in slow_modules(model).values():
        module.requires_grad_(True)


def _attach_layer(layer: Any, settings: SlowPathSettings) -> None:
    attention = layer.self_attn
    key, value, output = (base_linear(getattr(attention, name)) for name in ("k_proj", "v_proj", "o_proj"))
    if key.weight.shape[0] % attention.head_dim or output.weight.shape[1] % attention.head_dim:
        raise UsageError(f"{type(attention).__name__}: its projections hold no whole number of heads.")
    where = {"device": key.weight.device, "dtype": key.weight.dtype}
    projection = nn.Linear(key.weight.shape[1], 2 * key.weight.shape[0], **where)
    _copy_own(projection, key, value, attention.head_dim)
    attention.slow_kv_proj = projection
    attention.slow_gate = SlowGate(output.weight.shape[1], settings.gating, **where)
    # In tuples, so that they are not registered a second time under another name.
    attention.slow_norm_of = (layer.input_layernorm,)
    attention.slow_rotate_of = (rotation_function(attention),)
    attention.__class__ = attached_attention(type(attention))
    for module in (attention.slow_kv_proj, attention.slow_gate):
        module.train(attention.training)


@torch.no_grad()
def _copy_own(projection: nn.Linear, key: nn.Linear, value: nn.Linear, head_dim: int) -> None:
    """Slow keys and values begin as those of fast tokens, per key/value head: key, then value."""
    for place, own in enumerate((key, value)):
        for new, old in ((projection.weight, own.weight), (projection.bias, own.bias)):
            target = new.unflatten(0, (-1, 2, head_dim))[:, place]
            if old is None:
                target.zero_()
            else:
                target.copy_(old.unflatten(0, (-1, head_dim)))
