"""What a training of a slow path leaves: a directory that `sf-eval run --model` takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sf_eval.core import files
from sf_eval.core.cards import ModelCard
from sf_eval.core.provenance import git_commit, versions

CARD, ORIGIN = "sf_eval_card.yaml", "origin.json"


def name_base(model: Any, card: ModelCard) -> None:
    """Let the slow path's description name the base so that it is found from any folder.

    A directory by its whole path, a Hub id or weights of the package as the card has them.
    """
    local = Path(card.weights).expanduser()
    model.config._name_or_path = str(local.resolve()) if local.is_dir() else card.weights


def write(
    folder: Path,
    card: ModelCard,
    *,
    processor: Any | None,
    facts: Mapping[str, Any],
    command: tuple[str, ...],
) -> None:
    """Write the card, where it came from and, beside weights of its own, the processor.

    Args:
        card: the base's.
        processor: of a base that was trained too and lies in `folder`; None where the base stays its own.
        facts: what was trained on what.

    Raises:
        OutputError: it cannot be written.
    """
    asked = {
        "title": f"{card.title}, slow path attached",
        "family": card.family,
        "slow_path": "on",
        "sampling": card.sampling,
        "num_frames": card.num_frames,
        "target_fps": card.target_fps,
        "options": {name: value for name, value in card.options.items() if name == "places"},
    }
    if processor is not None:
        processor.save_pretrained(folder)
    files.write_text(folder / CARD, yaml.safe_dump(asked, sort_keys=False))
    origin = {
        "schema_version": 1, "base": card.weights, "command": list(command), "commit": git_commit(), **facts,
        "versions": versions(),
    }  # fmt: skip
    files.write_json(folder / ORIGIN, origin)
