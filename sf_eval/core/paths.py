"""Where the folders lie that a person edits and the package reads, and where we cache.

In a checkout `tasks/`, `model_cards/` and `results/published/` stand at the top level; a wheel carries
them under `sf_eval/_packaged/` (see pyproject.toml).
"""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def _shipped(*parts: str) -> Path:
    packaged = PACKAGE.joinpath("_packaged", *parts)
    return packaged if packaged.exists() else PACKAGE.parent.joinpath(*parts)


_PACKAGED = "package:"


def packaged(weights: str) -> Path | None:
    """The folder of a model that comes with the package ("package:mini"); None for any other weights."""
    return PACKAGE / "assets" / weights.removeprefix(_PACKAGED) if weights.startswith(_PACKAGED) else None


def tasks_dir() -> Path:
    """One folder a benchmark: lmms-eval task yaml and adapter."""
    return _shipped("tasks")


def tasks_dirs() -> list[Path]:
    """`tasks_dir`, and the folders like it that `$SF_EVAL_TASKS` names (as PATH does), for one's own
    benchmarks."""
    own = [Path(part).expanduser() for part in os.environ.get("SF_EVAL_TASKS", "").split(os.pathsep) if part]
    return [tasks_dir(), *own]


def model_cards_dir() -> Path:
    """One YAML a model."""
    return _shipped("model_cards")


def published_results() -> Path:
    """Published numbers, each with its source."""
    return _shipped("results", "published")


def published_results_csv() -> Path:
    """Published accuracies, each with its source."""
    return published_results() / "published_results.csv"


def cache_dir() -> Path:
    """Our own cache: `$SF_EVAL_CACHE`, else `$XDG_CACHE_HOME/sf-eval`, else `~/.cache/sf-eval`."""
    if override := os.environ.get("SF_EVAL_CACHE"):
        return Path(override).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "sf-eval"


def checkout_root() -> Path | None:
    """The git checkout this package runs from, or None for an installed wheel."""
    root = PACKAGE.parent
    return root if (root / ".git").exists() else None
