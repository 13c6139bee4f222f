"""Training an attached slow path on questions about videos: seeded, resumable, the base frozen or not.

A step's data come of the seed and the step's number alone, so weights, optimiser and step number are all that
resuming needs: the same plan in the same folder goes on where it stopped and ends in the same weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch.nn.functional import cross_entropy

from sf_eval.core import files
from sf_eval.core.errors import OutputError, UsageError
from sf_eval.model.attach import freeze_all_but_slow_path, save_slow_path, slow_parameter_groups
from sf_eval.model.attach.inspecting import settings_of, slow_modules
from sf_eval.training.attached.examining import IGNORED, predicted
from sf_eval.training.store import optimizer_tensors, prefixed, restore_optimizer, under

WORK = "work"
_PLAN, _STATE = "training.json", "training.safetensors"
_STEP = "step"

#: What a step learns from: for each question a processor's inputs (one row or more) with `labels` [B, L], or
#: what the attached model itself takes (`slow` among it), with `labels`.
Draw = Callable[[int], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Plan:
    """How much is trained, and what of it.

    Attributes:
        learning_rate: of slow keys, values and gates; the warm-up gates have ten times it.
        llm_learning_rate: of the language model; 0 leaves it frozen, as the tower always is.
        falling: share of the steps, at the end, over which the learning rate falls to a fiftieth.
        save_every: steps between two states on disk.
    """

    steps: int
    learning_rate: float = 1e-3
    llm_learning_rate: float = 0.0
    seed: int = 0
    warm_up_steps: int = 20
    falling: float = 0.5
    save_every: int = 100

    def factor(self, step: int) -> float:
        """Of the learning rates at a step."""
        remaining = (self.steps - step) / max(self.steps * self.falling, 1)
        return min(1.0, (step + 1) / max(self.warm_up_steps, 1)) * max(0.02, min(1.0, remaining))


def train(
    model: Any,
    draw: Draw,
    plan: Plan,
    folder: Path,
    say: Callable[[int, float], None] = lambda *_: None,
    learns_from: Mapping[str, Any] = MappingProxyType({}),
    examine: Callable[[int], None] = lambda _: None,
) -> None:
    """Train `model`'s slow path in place; leaves it in `folder` (with the whole model if the LLM learned).

    What resuming needs is in `folder/work`.

    Args:
        draw: the questions of a step, by its number: the same ones whenever it is asked.
        say: told of each step and its loss, the mean over questions, in nats.
        learns_from: whatever else determines the outcome, as plain data: a folder that began with another
            model or other questions is refused.
        examine: told before the first step and after each how many are done; may ask the model anything
            (`examining.Examiner`).

    Raises:
        SlowPathError: the model has no slow path.
        UsageError: no steps.
        OutputError: the folder holds a training by another plan, or cannot be written.
    """
    settings = settings_of(model)
    if plan.steps < 1:
        raise UsageError(f"{plan.steps} steps train nothing.")
    wanted = {"schema_version": 1, "plan": asdict(plan), "slow_path": asdict(settings), **learns_from}
    _claim(folder / WORK, wanted)
    groups = _parameter_groups(model, plan)
    optimizer = torch.optim.AdamW(groups, weight_decay=0.0)
    highest = [group["lr"] for group in optimizer.param_groups]
    learning = _learning(model)
    first = _restore(folder / WORK, learning, optimizer)
    model.train()
    examine(first)
    for step in range(first, plan.steps):
        for group, rate in zip(optimizer.param_groups, highest, strict=True):
            group["lr"] = rate * plan.factor(step)
        loss = _step(model, draw(step))
        torch.nn.utils.clip_grad_norm_(list(learning.values()), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        say(step, loss)
        if (step + 1) % plan.save_every == 0 or step + 1 == plan.steps:
            _keep(folder / WORK, learning, optimizer, step + 1)
        examine(step + 1)
    model.eval()
    if plan.llm_learning_rate:
        model.save_pretrained(folder)
    else:
        save_slow_path(model, folder)


def _step(model: Any, questions: Sequence[Mapping[str, Any]]) -> float:
    """Gradients of the mean loss over a step's questions, one by one: each fits in memory by itself."""
    total = 0.0
    for inputs in questions:
        logits, wanted = predicted(model, inputs)
        loss = cross_entropy(logits, wanted, ignore_index=IGNORED) / len(questions)
        loss.backward()
        total += float(loss.detach())
    return total


def _parameter_groups(model: Any, plan: Plan) -> list[dict[str, Any]]:
    """Slow path and warm-up gates, and the language model if it learns; all else is frozen."""
    freeze_all_but_slow_path(model)
    groups = slow_parameter_groups(model, plan.learning_rate)
    if plan.llm_learning_rate:
        own = {id(parameter) for module in slow_modules(model).values() for parameter in module.parameters()}
        others = [parameter for parameter in model.get_decoder().parameters() if id(parameter) not in own]
        for parameter in others:
            parameter.requires_grad_(True)
        groups.append({"params": others, "lr": plan.llm_learning_rate})
    return groups


def _learning(model: Any) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _claim(folder: Path, wanted: dict[str, Any]) -> None:
    """Make sure that `folder` is this training's.

    Raises:
        OutputError: it holds another one, or something else that is called so.
    """
    path = folder / _PLAN
    wanted = json.loads(json.dumps(wanted))
    if path.exists():
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise OutputError(f"{path} cannot be read ({error}).", hint="Name a new folder.") from error
        if found != wanted:
            differing = ", ".join(sorted(key for key in wanted if found.get(key) != wanted[key]))
            raise OutputError(
                f"{folder} holds a training by another plan ({differing}).", hint="Name a new --output."
            )
        files.remove_half_written(folder)
        return
    files.write_json(path, wanted)


def _keep(
    folder: Path, learning: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, done: int
) -> None:
    tensors = {
        **prefixed("model", {name: parameter.detach() for name, parameter in learning.items()}),
        **prefixed("optimizer", optimizer_tensors(optimizer)),
        _STEP: torch.tensor(done),
    }
    whole = {name: tensor.cpu().clone().contiguous() for name, tensor in tensors.items()}
    files.write_bytes(folder / _STATE, save(whole))


@torch.no_grad()
def _restore(folder: Path, learning: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer) -> int:
    """Steps done already; their weights and the optimiser's memory are put in place."""
    path = folder / _STATE
    if not path.exists():
        return 0
    kept = load_file(path)
    for name, tensor in under("model", kept).items():
        learning[name].copy_(tensor)
    restore_optimizer(optimizer, under("optimizer", kept))
    return int(kept[_STEP])
