"""What `from_pretrained` is asked, told apart: files, configuration, and what transformers is to do."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from sf_eval.core.errors import UsageError
from sf_eval.model import checkpoint
from sf_eval.model.checkpoint_files.decoding import check_generation_config
from sf_eval.model.config import SlowFastConfig

_OF_THE_HUB = ("cache_dir", "token", "force_download", "local_files_only")
# Decided here, whatever is asked: safetensors alone, no code of a checkpoint, all misshapen weights named.
_DECIDED = ("use_safetensors", "trust_remote_code", "ignore_mismatched_sizes", "output_loading_info")
# They would load other files than those that are checked and hashed.
_OTHER_FILES = ("variant", "gguf_file", "from_tf", "from_flax")


@dataclass(frozen=True)
class LoadOptions:
    """A call of `from_pretrained`.

    Attributes:
        directory: where the checkpoint lies.
        config: its configuration, with what the call overrides.
        dtype: of the weights in memory; None keeps the checkpoint's.
        others: what transformers is given as it came.
    """

    directory: Path
    config: Any
    dtype: torch.dtype | None
    others: dict[str, Any]


def read_options(
    source: str | Path,
    *,
    revision: str | None = None,
    dtype: torch.dtype | str | None = None,
    torch_dtype: torch.dtype | str | None = None,
    config: Any = None,
    subfolder: str | None = None,
    **others: Any,
) -> LoadOptions:
    """Sort out the arguments of `from_pretrained`.

    Args:
        torch_dtype: the older name of `dtype`, which goes before it.
        config: a configuration, or where one lies, instead of the checkpoint's.
        others: keys of the configuration, options of the Hub, and what transformers takes besides.

    Raises:
        CheckpointError: no such checkpoint, or a configuration that makes no slow-fast model.
        UsageError: an option that would load other files than a checkpoint's own, or no dtype.
    """
    for key in _OTHER_FILES:
        if others.pop(key, None):
            raise UsageError(
                f"from_pretrained({key}=...) is not supported: weights are read from model.safetensors, or "
                "from the shards of model.safetensors.index.json.",
                hint="Give a directory in which they are called that.",
            )
    of_the_hub = {key: others.pop(key) for key in _OF_THE_HUB if key in others}
    directory = checkpoint.resolve(source, revision=revision, subfolder=subfolder or "", **of_the_hub)
    names = {field.name for field in fields(SlowFastConfig)}
    overrides = {key: others.pop(key) for key in names & others.keys()}
    if "generation_config" not in others:
        check_generation_config(directory)
    return LoadOptions(
        directory=directory,
        config=_configuration(directory, config, overrides),
        dtype=checkpoint.checked_dtype(torch_dtype if dtype is None else dtype),
        others={key: value for key, value in others.items() if key not in _DECIDED},
    )


def _configuration(directory: Path, given: Any, overrides: dict[str, Any]) -> Any:
    """The configuration to build: the checkpoint's, another folder's, or the one that was `given`."""
    if given is None or isinstance(given, str | Path):
        return checkpoint.read_config(directory if given is None else Path(given), **overrides)
    if not overrides:
        return given
    config = deepcopy(given)
    for key, value in overrides.items():
        setattr(config, key, value)
    if isinstance(config, SlowFastConfig):
        config.check()
    return config
