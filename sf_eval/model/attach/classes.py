"""The classes that an attached model and its layers become: their own, with one thing changed.

An attached layer's `forward` is the code object of its class with one global replaced: where it looks up the
attention function, it finds one that adds context from the slow tokens to what that function returns. So no
source is copied, no other model is touched, the implementation keeps its name, and whatever a family does in
its own forward stays.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from sf_eval.model.attach.context import SlowCall, SlowContext
from sf_eval.model.attach.cross_attention import with_context
from sf_eval.model.errors import SlowPathError

REGISTRY = "ALL_ATTENTION_FUNCTIONS"


class _Interface:
    """Stands for transformers' registry of attention functions inside an attached layer's forward."""

    def get_interface(self, name: str, default: Callable[..., Any]) -> Callable[..., Any]:
        plain = ALL_ATTENTION_FUNCTIONS.get_interface(name, default)

        def attend(
            module: nn.Module,
            query: torch.Tensor,
            key: torch.Tensor,
            value: torch.Tensor,
            mask: Any,
            *args: Any,
            slow: SlowCall | None = None,
            **kwargs: Any,
        ) -> tuple[torch.Tensor, Any]:
            output, weights = plain(module, query, key, value, mask, *args, **kwargs)  # [B, L, H, d]
            if slow is not None:
                scaling = kwargs.get("scaling")
                scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
                output = with_context(module, query, output, slow, scaling)
            return output, weights

        return attend


_INTERFACE = _Interface()


def own_forward(cls: type) -> types.FunctionType:
    """A class's forward without its decorators."""
    forward: types.FunctionType = inspect.unwrap(cls.forward)  # type: ignore[attr-defined]
    return forward


def attached_attention(cls: type) -> type:
    """A subclass of an attention class whose attention reads the slow tokens it is given."""
    plain = own_forward(cls)
    forward = types.FunctionType(
        plain.__code__,
        {**plain.__globals__, REGISTRY: _INTERFACE},
        plain.__name__,
        plain.__defaults__,
        plain.__closure__,
    )
    forward.__kwdefaults__ = plain.__kwdefaults__
    return _subclass(cls, forward=forward)


def attached_model(cls: type, save: Callable[..., None]) -> type:
    """A subclass of a model's class that takes `slow`, and makes sure that its layers have read it.

    Args:
        save: what `save_pretrained` does, given the class's own as first argument.
    """
    plain: Callable[..., Any] = cls.forward  # type: ignore[attr-defined]

    def forward(self: Any, *args: Any, slow: SlowContext | None = None, **kwargs: Any) -> Any:
        if slow is None:
            return plain(self, *args, **kwargs)
        cache = kwargs.get("past_key_values")
        call = SlowCall(slow, 0 if cache is None else int(cache.get_seq_length()))
        _refuse_lost_gradients(self, slow)
        output = plain(self, *args, slow=call, **kwargs)
        check_read(call, self.slow_path.layers)
        return output

    # `generate` hands on what the signature names, and refuses the rest.
    parameters = [*inspect.signature(plain).parameters.values()]
    named = inspect.Parameter("slow", inspect.Parameter.KEYWORD_ONLY, default=None)
    forward.__signature__ = inspect.Signature([*parameters[:-1], named, parameters[-1]])  # type: ignore[attr-defined]

    def save_pretrained(self: Any, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        save(partial(cls.save_pretrained, self), self, save_directory, *args, **kwargs)  # type: ignore[attr-defined]

    return _subclass(cls, forward=forward, save_pretrained=save_pretrained)


def check_read(call: SlowCall, layers: tuple[int, ...]) -> None:
    """Refuse a pass in which a layer lost its slow path without a word.

    Raises:
        SlowPathError: slow tokens were read in other layers than the attached ones.
    """
    if call.read != set(layers):
        raise SlowPathError(
            f"slow tokens were read in layers {sorted(call.read)}, not in {list(layers)}.",
            hint="Something replaced the forward of the attached layers: attach after it, or without it.",
        )


def _refuse_lost_gradients(model: Any, slow: SlowContext) -> None:
    """Reentrant checkpointing follows gradients through tensors given by position alone.

    Raises:
        SlowPathError: slow tokens that need gradients, under it.
    """
    needs = any(video is not None and video.tokens.requires_grad for video in slow.videos)
    if model.training and needs and _is_reentrant(model):
        raise SlowPathError(
            "gradients of the slow tokens would be lost under reentrant checkpointing.",
            hint='Use gradient_checkpointing_kwargs={"use_reentrant": False}, or freeze the vision tower.',
        )


def _is_reentrant(model: nn.Module) -> bool:
    for module in model.modules():
        checkpoint = getattr(module, "_gradient_checkpointing_func", None)
        if getattr(module, "gradient_checkpointing", False) and checkpoint is not None:
            return bool(getattr(checkpoint, "keywords", {}).get("use_reentrant"))
    return False


def _subclass(cls: type, **members: Any) -> type:
    return type(cls.__name__, (cls,), {"__module__": cls.__module__, "__doc__": cls.__doc__, **members})
