"""The training's working directory: what is finished, and where a stage was interrupted.

Tensors are safetensors, everything else is JSON; each file is whole or absent. A step draws all its data from
a seed made of its stage and number, so that weights, optimiser and step number are all that resuming needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.mini.recipe import VARIANTS, Budget, config

_STATE = "training.json"
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Store:
    """One training's directory, `work` below the output.

    Args:
        folder: where everything lies.
    """

    folder: Path

    def open(self, budget: Budget, seed: int, commit: str | None) -> tuple[str, ...]:
        """Claim the directory for this training, or find that it is this training's already.

        Returns:
            The commits that have worked in it, `commit` included.

        Raises:
            OutputError: it holds another training.
        """
        shapes = {variant.name: config(variant) for variant in VARIANTS}
        mine = {"schema_version": 1, "budget": asdict(budget), "seed": seed, "configs": shapes}
        wanted = json.loads(json.dumps(mine))
        path = self.folder / _STATE
        found = self._state(path) if path.is_file() else {**wanted, "commits": []}
        commits = dict.fromkeys([*found.pop("commits", []), *([commit] if commit else [])])
        if found != wanted:
            raise OutputError(
                f"{self.folder} holds another training (another budget, seed or version of sf-eval).",
                hint="Name a new --output.",
            )
        files.write_json(path, {**wanted, "commits": list(commits)})
        return tuple(commits)

    @staticmethod
    def _state(path: Path) -> dict[str, Any]:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{path} cannot be read: {error}.", hint="Name a new --output, or remove this one."
            ) from error
        return found if isinstance(found, dict) else {}

    def has(self, name: str) -> bool:
        return self._path(name).is_file()

    def save(self, name: str, tensors: Mapping[str, torch.Tensor]) -> None:
        # Tied weights are kept twice: each key is whole by itself.
        whole = {key: tensor.detach().cpu().clone().contiguous() for key, tensor in tensors.items()}
        files.write_bytes(self._path(name), save(whole))

    def load(self, name: str) -> Tensors:
        tensors: Tensors = load_file(self._path(name))
        return tensors

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

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
