"""Saving a slow path: `slow_path.safetensors` and `slow_path.json`, without the model it belongs to."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt
from safetensors.torch import save
from torch import nn

from sf_eval.core import files
from sf_eval.model.attach.decoder import base_linear, decoder_of, plain_model
from sf_eval.model.attach.inspecting import ADDED_MODULES, settings_of, slow_modules
from sf_eval.model.attach.settings import Gating, Rope, SlowPathSettings
from sf_eval.model.errors import SlowPathError

WEIGHTS = "slow_path.safetensors"
DESCRIPTION = "slow_path.json"
_KEYS = (
    "slow_kv_proj.weight",
    "slow_kv_proj.bias",
    "slow_gate.proj.weight",
    "slow_gate.proj.bias",
    "slow_gate.warm_up",
)
_SMALLEST = 2.0**-14  # below it float16 keeps fewer digits than bfloat16


class SlowPathRecord(BaseModel):
    """`slow_path.json` (docs/schemas/slow_path.schema.json).

    Attributes:
        base: id or directory that the base model was loaded from, "" for one made in memory.
        base_class: its class.
        base_digest: of the weights that slow keys and values began as, see `base_digest`.
        weights_sha256: of `slow_path.safetensors`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    base: str
    base_class: str
    base_digest: str
    layers: tuple[NonNegativeInt, ...]
    temporal_stride: PositiveInt
    spatial_stride: PositiveInt
    gating: Gating
    rope: Rope
    weights_sha256: str

    @property
    def settings(self) -> SlowPathSettings:
        return SlowPathSettings(
            self.layers, self.temporal_stride, self.spatial_stride, self.gating, self.rope
        )


def save_slow_path(model: Any, directory: str | Path) -> None:
    """Write the slow path of `model` alone: a few hundredths of the model, the base is saved by its owner.

    Raises:
        SlowPathError: it has none.
        OutputError: the directory cannot be written.
    """
    inner = plain_model(model)
    settings = settings_of(inner)
    folder = Path(directory)
    tensors = {
        f"{name}.{key}": _whole(tensor).cpu().contiguous()
        for name, module in slow_modules(inner).items()
        for key, tensor in module.state_dict().items()
    }
    _check_plain(tensors)
    files.write_bytes(folder / WEIGHTS, save(tensors))
    record = SlowPathRecord(
        base=str(getattr(inner.config, "_name_or_path", "") or ""),
        base_class=class_name(inner),
        base_digest=base_digest(inner, settings.layers),
        layers=settings.layers,
        temporal_stride=settings.temporal_stride,
        spatial_stride=settings.spatial_stride,
        gating=settings.gating,
        rope=settings.rope,
        weights_sha256=files.sha256(folder / WEIGHTS),
    )
    files.write_json(folder / DESCRIPTION, record.model_dump(mode="json"))


def class_name(model: Any) -> str:
    """The model's own class: neither the one that attaching made of it nor FSDP's."""
    for cls in type(model).__mro__:  # FSDP puts a class of its own beside, which is no module
        if issubclass(cls, nn.Module) and getattr(_module_of(cls), cls.__name__, None) is cls:
            return str(cls.__name__)
    raise AssertionError(f"{type(model).__name__} is no module")


def _module_of(cls: type) -> Any:
    return sys.modules.get(cls.__module__)


def base_digest(model: Any, layers: tuple[int, ...]) -> str:
    """A digest of the weights that a slow path leans on: norm, keys and values of its layers.

    Taken as bfloat16, values below float16's normal range being 0, so that a checkpoint in bfloat16 or
    float16 has one digest in whatever dtype it is loaded.
    """
    digest = hashlib.sha256()
    for index in layers:
        layer = decoder_of(model).layers[index]
        for module in (
            layer.input_layernorm,
            base_linear(layer.self_attn.k_proj),
            base_linear(layer.self_attn.v_proj),
        ):
            weight = _whole(module.weight).cpu()
            rounded = weight.float().masked_fill(weight.float().abs() < _SMALLEST, 0).bfloat16()
            digest.update(f"{index} {list(weight.shape)}".encode())
            digest.update(rounded.contiguous().view(torch.int16).numpy().tobytes())
    return digest.hexdigest()


def save_attached(
    save_plain: Callable[..., None], model: Any, directory: str | Path, *args: Any, **kwargs: Any
) -> None:
    """`save_pretrained` of an attached model: the base as its own class saves it, and the slow path beside.

    Saved with the base, the slow path would be dropped without a word at the next loading.
    """
    added = tuple(f".self_attn.{name}." for name in ADDED_MODULES)
    state = kwargs.pop("state_dict", None)
    state = model.state_dict() if state is None else state
    plain = {key: value for key, value in state.items() if not any(part in key for part in added)}
    save_plain(directory, *args, state_dict=plain, **kwargs)
    save_slow_path(model, directory)


def _whole(tensor: torch.Tensor) -> torch.Tensor:
    """A parameter of which FSDP keeps a shard here, gathered; all processes must ask."""
    gather = getattr(tensor, "full_tensor", None)
    return tensor.detach() if gather is None else gather().detach()


def _check_plain(tensors: dict[str, torch.Tensor]) -> None:
    """Refuse a slow path that an adapter is wrapped around: it could not be loaded without the adapter.

    Raises:
        SlowPathError: naming a weight.
    """
    if wrapped := [key for key in tensors if not key.endswith(_KEYS)]:
        raise SlowPathError(
            f"an adapter is wrapped around the slow path ({wrapped[0]}).",
            hint="Merge it first (peft's merge_and_unload), or leave slow_kv_proj and slow_gate out of it.",
        )


def main() -> None:
    """Print the JSON schema of `slow_path.json`."""
    import json

    print(json.dumps(SlowPathRecord.model_json_schema(), indent=2))


if __name__ == "__main__":
    main()
