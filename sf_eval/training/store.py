"""The training's working directory: what is finished, and where a stage was interrupted.

Tensors are safetensors, everything else is JSON; each file is whole or absent. A step draws all its data from
a seed made of its stage and number, so that weights, optimiser and step number are all that resuming needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from sf_eval.core import files
from sf_eval.core.errors import OutputError

_STATE = "training.json"
_UNFINISHED = "unfinished"
_ANOTHER_OUTPUT = "Name a new --output."
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Store:
    """One training's directory, `work` below the output.

    Args:
        folder: where everything lies.
    """

    folder: Path

    def open(self, settings: Mapping[str, Any], commit: str | None) -> tuple[str, ...]:
        """Claim the directory for this training, or find that it is this training's already.

        Args:
            settings: all that determines what is trained.

        Returns:
            The commits that have worked in it, `commit` included.

        Raises:
            OutputError: it holds another training.
        """
        wanted = json.loads(json.dumps({"schema_version": 1, **settings}))
        found = self._state(wanted)
        commits = dict.fromkeys([*found.get("commits", []), *([commit] if commit else [])])
        if differing := [key for key in wanted if found.get(key) != wanted[key]]:
            raise OutputError(
                f"{self.folder} holds another training (other {', '.join(differing)}).", hint=_ANOTHER_OUTPUT
            )
        files.write_json(self.folder / _STATE, {**wanted, "commits": list(commits)})
        self._tidy()
        return tuple(commits)

    def _state(self, new: dict[str, Any]) -> dict[str, Any]:
        """What the directory says it is; `new` where it is empty."""
        path = self.folder / _STATE
        if not path.exists() and not any(self.folder.glob("*.safetensors")):
            return new
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{path} cannot be read, so nobody knows what was trained here ({error}).",
                hint=_ANOTHER_OUTPUT,
            ) from error
        return found if isinstance(found, dict) else {}

    def _tidy(self) -> None:
        """Remove what killed processes left: half-written files, and the way to what is finished."""
        files.remove_half_written(self.folder)
        for unfinished in self.folder.glob(f"*.{_UNFINISHED}.safetensors"):
            if self.has(unfinished.name.split(".")[0]):
                unfinished.unlink()

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def save(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        # Tied weights are kept twice: each key is whole by itself.
        whole = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()}
        files.write_bytes(self._path(name), save(whole))

    def load(self, name: str) -> Tensors:
        tensors: Tensors = load_file(self._path(name))
        return tensors

    def save_unfinished(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Keep how far a stage has come, until `finish`."""
        self.save(f"{name}.{_UNFINISHED}", tensors)

    def unfinished(self, name: str) -> Tensors | None:
        """How far a stage had come, if it had begun."""
        begun = f"{name}.{_UNFINISHED}"
        return self.load(begun) if self.has(begun) else None

    def finish(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Keep what a stage made; with it the stage is done."""
        self.save(name, tensors)
        self._tidy()

    def log(self, name: str, value: Any) -> None:
        """Keep what was seen of a stage: `<name>.json`."""
        files.write_json(self.folder / f"{name}.json", value)

    def read_log(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


def prefixed(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    return {f"{prefix}/{key}": tensor for key, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> Tensors:
    """The tensors that `prefixed` put below `prefix`."""
    return {key[len(prefix) + 1 :]: tensor for key, tensor in tensors.items() if key.startswith(f"{prefix}/")}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> Tensors:
    """What an optimiser remembers of each parameter, by the parameter's number."""
    state = optimizer.state_dict()["state"]
    return {
        f"{index}/{key}": torch.as_tensor(value)
        for index, entry in state.items()
        for key, value in entry.items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        index, key = name.split("/", 1)
        state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
