"""Adapters (LoRA and the like) where a checkpoint is expected."""

from __future__ import annotations

from pathlib import Path

from sf_eval.core.errors import CheckpointError
from sf_eval.core.text import printable
from sf_eval.model.checkpoint_files.json_files import read_mapping

INDEX = "model.safetensors.index.json"
WEIGHTS = "model.safetensors"
_ADAPTER_CONFIG = "adapter_config.json"
_ADAPTER_WEIGHTS = "adapter_model.safetensors"


def refuse_adapter(directory: Path) -> None:
    """Refuse a directory with an adapter: transformers applies it to whatever lies beside it, or to its base.

    Raises:
        CheckpointError: saying what the directory is, and how to make a checkpoint of it.
    """
    config = directory / _ADAPTER_CONFIG
    is_full = (directory / WEIGHTS).is_file() or (directory / INDEX).is_file()
    # Without its configuration nobody applies an adapter: beside a full checkpoint it is an unread file more.
    if not config.is_file() and (is_full or not (directory / _ADAPTER_WEIGHTS).is_file()):
        return
    values = read_mapping(config) if config.is_file() else {}
    kind = f"a {printable(str(values.get('peft_type') or 'PEFT'))} adapter"
    merge = "peft's merge_and_unload and save_pretrained make one checkpoint of the two."
    if is_full:
        raise CheckpointError(
            f"{directory} holds {kind} ({_ADAPTER_CONFIG}) beside a full checkpoint: with it or without it "
            "is another model.",
            hint=f"For the adapted model, merge it first: {merge} Else move the adapter's files away.",
        )
    base = values.get("base_model_name_or_path")
    of = f" of {printable(str(base))}" if base else ""
    raise CheckpointError(
        f"{directory} is {kind}{of}, not a checkpoint: it holds changes to another model's weights alone.",
        hint=f"Merge it into its base model first: {merge}",
    )
