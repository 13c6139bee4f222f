"""Checkpoint directories: where they are, and whether they are whole, before and after loading."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    StrictDataclassError,
)
from transformers.utils import is_flash_attn_2_available

from sf_eval.core.errors import CheckpointError, UsageError, nearest
from sf_eval.core.text import printable
from sf_eval.model.checkpoint_files.adapters import INDEX as _INDEX
from sf_eval.model.checkpoint_files.adapters import WEIGHTS as _WEIGHTS
from sf_eval.model.checkpoint_files.adapters import refuse_adapter
from sf_eval.model.checkpoint_files.json_files import read_mapping
from sf_eval.model.config import SlowFastConfig, floating_dtype

ATTENTION_IMPLEMENTATIONS = ("sdpa", "eager", "flash_attention_2")

_SAFETENSORS = "*.safetensors"
_FILES = ["*.json", _SAFETENSORS, "*.txt", "*.jinja", "tokenizer*", "vocab*"]
_OTHER_WAYS = (
    "Give a local checkpoint directory instead (--model DIR), or try the model in the package: --model mini."
)
_NAMED_KEYS = 8
# Checked by itself; and how attention is computed is the caller's choice, whatever was used in training.
_NOT_OF_THE_MODEL = ("model_type", "attn_implementation", "_attn_implementation")


def resolve(
    source: str | Path,
    *,
    revision: str | None = None,
    subfolder: str = "",
    without_weights: bool = False,
    **download: Any,
) -> Path:
    """The directory of a checkpoint: `source` itself, or the Hub's snapshot of it at `revision`.

    A Hub snapshot already in the local cache is used without network.

    Args:
        subfolder: where in it the checkpoint lies.
        without_weights: leave the weights on the Hub.
        download: `cache_dir`, `token`, `force_download`, `local_files_only`, as huggingface_hub takes them.

    Raises:
        CheckpointError: neither a directory nor a Hub id that can be had.
    """
    directory = Path(source).expanduser()
    if directory.is_dir():
        return _inside(directory, subfolder)
    name = str(source)
    if name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise CheckpointError(f"there is no checkpoint directory {name}.", hint=_OTHER_WAYS)
    files = [pattern for pattern in _FILES if not (without_weights and pattern == _SAFETENSORS)]
    patterns = [f"{subfolder}/{pattern}" for pattern in files] if subfolder else files
    try:
        snapshot = snapshot_download(name, revision=revision or None, allow_patterns=patterns, **download)
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError) as error:
        at = f" at revision {revision}" if revision else ""
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{name}{at} cannot be had from the Hugging Face Hub: {reason}", hint=_OTHER_WAYS
        ) from error
    return _inside(Path(snapshot), subfolder)


def _inside(directory: Path, subfolder: str) -> Path:
    """The folder `subfolder` of a checkpoint directory."""
    inner = directory / subfolder
    if not inner.is_dir():
        raise CheckpointError(f"{directory} has no folder {subfolder}.")
    return inner


def read_config(directory: Path, **overrides: Any) -> SlowFastConfig:
    """Read config.json; `overrides` go before what it says.

    Raises:
        CheckpointError: absent, not JSON, of another model type, or with a value of the wrong kind.
    """
    path = directory / "config.json"
    if not path.is_file():
        refuse_adapter(directory)
        raise CheckpointError(
            f"{directory} has no config.json.", hint="Give a checkpoint directory as released."
        )
    values = read_mapping(path)
    return config_from({**values, **overrides}, path)


def config_from(values: Any, origin: object) -> SlowFastConfig:
    """A configuration from the published keys in `values`; `origin` is named in errors.

    Raises:
        CheckpointError: another model type, or values that make no slow-fast model.
    """
    if not isinstance(values, dict):
        raise CheckpointError(f"{origin} must hold a mapping of keys to values.")
    kind = values.get("model_type", SlowFastConfig.model_type)
    if kind != SlowFastConfig.model_type:
        raise CheckpointError(
            f"{origin} describes a model of type {kind!r}; sf-eval evaluates {SlowFastConfig.model_type!r}."
        )
    try:
        config = SlowFastConfig(
            **{key: value for key, value in values.items() if key not in _NOT_OF_THE_MODEL}
        )
    except (StrictDataclassError, AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{origin} has a value that makes no slow-fast model: {reason}") from error
    config.check()
    return config


def shards(directory: Path) -> list[Path]:
    """The safetensors files that are loaded, sorted by name: these are the ones to check and to hash.

    Raises:
        CheckpointError: none, pickled weights only, a shard that the index names and that is missing, an
            adapter, or two sets of weights, of which transformers would load one without a word.
    """
    refuse_adapter(directory)
    index = directory / _INDEX
    has_single = (directory / _WEIGHTS).is_file()
    names = _index_names(index) if index.is_file() else [_WEIGHTS]
    if has_single and names != [_WEIGHTS]:
        raise CheckpointError(
            f"{directory} holds two sets of weights: {_WEIGHTS}, and the shards that {_INDEX} names.",
            hint="Move the set that is not meant out of the directory.",
        )
    if not has_single and not index.is_file():
        raise CheckpointError(*_no_weights(directory))
    if missing := [name for name in names if not (directory / name).is_file()]:
        raise CheckpointError(
            f"{directory} lacks the weight file(s) {', '.join(missing)} that {_INDEX} names.",
            hint="Copy or download the checkpoint again.",
        )
    return [directory / name for name in names]


def unread_weights(directory: Path) -> list[str]:
    """Names of weight files beside those that are loaded: other precisions, left-over shards, projectors."""
    read = {path.name for path in shards(directory)}
    return sorted(path.name for path in directory.glob("*.safetensors") if path.name not in read)


def check_shards(directory: Path) -> None:
    """Read the header of every weight file.

    Raises:
        CheckpointError: as `shards`, or a file that is damaged or cut short.
    """
    from safetensors import SafetensorError, safe_open

    for path in shards(directory):
        try:
            with safe_open(path, framework="pt") as file:
                file.keys()
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path} is not a whole safetensors file: {error}", hint="Copy or download it again."
            ) from error


def check_loaded(directory: Path, info: dict[str, Any]) -> None:
    """Refuse a model that is not made of exactly the checkpoint's weights.

    Raises:
        CheckpointError: naming the keys that are missing, unexpected or of another shape.
    """
    problems = []
    if missing := sorted(info["missing_keys"]):
        problems.append(f"missing: {_some(missing)}")
    if unexpected := sorted(info["unexpected_keys"]):
        problems.append(f"unexpected: {_some(unexpected)}")
    if mismatched := sorted(info["mismatched_keys"]):
        described = [f"{key} is {list(found)}, expected {list(wanted)}" for key, found, wanted in mismatched]
        problems.append(f"misshapen: {_some(described)}")
    if errors := info.get("error_msgs"):
        problems.append(_some(list(map(str, errors if not isinstance(errors, str) else [errors]))))
    if problems:
        raise CheckpointError(
            f"the weights in {directory} do not fit its config.json. " + "; ".join(problems) + ".",
            hint="The checkpoint is damaged, or its config.json is another model's.",
        )


def checked_attention(
    name: str | None, *, device: torch.device | None = None, dtype: torch.dtype | str | None = None
) -> str:
    """The attention implementation to use; None means "sdpa".

    Raises:
        UsageError: unknown, not installed, or unable to run on this device or in this dtype.
    """
    chosen = name or "sdpa"
    if chosen not in ATTENTION_IMPLEMENTATIONS:
        raise UsageError(
            f"there is no attention implementation {chosen!r}.",
            hint=nearest(chosen, ATTENTION_IMPLEMENTATIONS),
        )
    if chosen != "flash_attention_2":
        return chosen
    if not is_flash_attn_2_available():
        raise UsageError(
            "flash_attention_2 needs the flash-attn package and a CUDA device, and they are not here.",
            hint="Install it (pip install flash-attn), or use --attn sdpa.",
        )
    if (device is not None and device.type != "cuda") or dtype in (torch.float32, "float32"):
        raise UsageError(
            "flash_attention_2 runs on a CUDA device in float16 or bfloat16 only.",
            hint="Choose those with --device and --dtype, or use --attn sdpa.",
        )
    return chosen


def _index_names(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{index} is not an index of weight files: {error!r}") from error
    # A name with a separator could point outside the directory.
    if bad := [name for name in names if not isinstance(name, str) or Path(name).name != name]:
        raise CheckpointError(f"{index} names {bad[0]!r}, which is not a file beside it.")
    if bad := [name for name in names if not name.endswith(".safetensors")]:
        raise CheckpointError(f"{index} names {bad[0]!r}; sf-eval reads safetensors alone.")
    if not names:
        raise CheckpointError(f"{index} names no weight file.")
    return names


def _no_weights(directory: Path) -> tuple[str]:
    pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in directory.glob(pattern))
    if pickled:
        return (
            f"{directory} has pickled weights only ({_some(pickled)}); sf-eval reads safetensors alone, "
            "since unpickling can run any code. Convert them with transformers' save_pretrained.",
        )
    if found := sorted(path.name for path in directory.glob("*.safetensors")):
        return (
            f"{directory} has neither {_WEIGHTS} nor {_INDEX}, and what is in {_some(found)} nothing says.",
        )
    return (f"{directory} has neither {_WEIGHTS} nor {_INDEX}.",)


def checked_dtype(value: torch.dtype | str | None) -> torch.dtype | None:
    """The dtype to load weights in, by its name or itself; None for None and "auto".

    Raises:
        UsageError: not a floating-point dtype of torch.
    """
    try:
        return floating_dtype(value)
    except ValueError as error:
        raise UsageError(f"dtype: {error}.") from error


def _some(items: Iterable[str]) -> str:
    listed = [printable(item) for item in items]
    more = len(listed) - _NAMED_KEYS
    return ", ".join(listed[:_NAMED_KEYS]) + (f" and {more} more" if more > 0 else "")
