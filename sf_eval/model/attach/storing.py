"""Loading a slow path back onto the base that it was saved from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from sf_eval.core import files
from sf_eval.core.errors import CheckpointError
from sf_eval.model.attach.attaching import attach, detach_slow_path
from sf_eval.model.attach.decoder import decoder_of, plain_model
from sf_eval.model.attach.inspecting import has_slow_path, slow_modules
from sf_eval.model.attach.saving import DESCRIPTION, WEIGHTS, SlowPathRecord, base_digest, class_name
from sf_eval.model.errors import SlowPathError

__all__ = ["DESCRIPTION", "WEIGHTS", "check_fits", "load_slow_path", "read_record"]

_Model = TypeVar("_Model", bound=nn.Module)


def load_slow_path(model: _Model, directory: str | Path) -> _Model:
    """Attach the slow path in `directory` to the plain `model` that it was saved from, in place.

    Raises:
        CheckpointError: no slow path there, a damaged one, or one that belongs to another base model.
        SlowPathError: the model has a slow path already.
    """
    inner = plain_model(model)
    if has_slow_path(inner):
        raise SlowPathError("the model has a slow path already.", hint="Take it away with detach_slow_path.")
    folder = Path(directory)
    record = read_record(folder)
    _check_base(inner, record, folder)
    tensors = _read_weights(folder, record)
    attach(inner, record.settings)
    for name, module in slow_modules(inner).items():
        mine = {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
        try:
            module.load_state_dict(mine)
        except RuntimeError as error:
            detach_slow_path(inner)
            reason = " ".join(str(error).split())
            raise CheckpointError(f"{folder / WEIGHTS} does not fit the model: {reason}") from error
    return model


def read_record(folder: Path) -> SlowPathRecord:
    """What the slow path in `folder` says of itself.

    Raises:
        CheckpointError: none there, one that cannot be read, or not in the documented format.
    """
    path = folder / DESCRIPTION
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no slow path: there is no {DESCRIPTION}.")
    try:
        return SlowPathRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise CheckpointError(f"{path}: {where}: {first['msg']}.") from error


def check_fits(model: Any, record: SlowPathRecord, folder: Path) -> None:
    """Refuse a slow path of another class of models, or of a deeper one; nothing of the weights is read.

    Raises:
        CheckpointError: the record in `folder` speaks of another model than this one.
    """
    depth = len(decoder_of(model).layers)
    name = record.base or record.base_class
    if class_name(model) != record.base_class:
        raise CheckpointError(
            f"the slow path in {folder} belongs to a {record.base_class} ({name}), not to a "
            f"{class_name(model)}."
        )
    if max(record.layers, default=0) >= depth:
        raise CheckpointError(
            f"the slow path in {folder} has layers {list(record.layers)}, this model only {depth} in all."
        )


def _check_base(model: Any, record: SlowPathRecord, folder: Path) -> None:
    check_fits(model, record, folder)
    if base_digest(model, record.layers) != record.base_digest:
        raise CheckpointError(
            f"the slow path in {folder} was trained on another base model than this one.",
            hint=f"It belongs to {record.base or record.base_class}: load exactly those weights.",
        )


def _read_weights(folder: Path, record: SlowPathRecord) -> dict[str, torch.Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        raise CheckpointError(f"{folder} lacks {WEIGHTS}.")
    if files.sha256(path) != record.weights_sha256:
        raise CheckpointError(f"{path} is not the file that {DESCRIPTION} speaks of: damaged, or replaced.")
    try:
        tensors: dict[str, torch.Tensor] = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is not a whole safetensors file: {error}") from error
    return tensors
