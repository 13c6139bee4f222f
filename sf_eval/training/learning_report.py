"""The record of an experiment in learning: it grows training by training, and is continued."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sf_eval.core.errors import OutputError


class Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LearningReport(Record):
    """What all such records begin with."""

    schema_version: Literal[1] = 1
    command: str
    versions: dict[str, str]
    budget: dict[str, float]


_Report = TypeVar("_Report", bound=LearningReport)


def versions_of(*packages: str) -> dict[str, str]:
    """Python's, and those of installed packages."""
    return {"python": platform.python_version()} | {name: metadata.version(name) for name in packages}


def begun_or(fresh: _Report, path: Path) -> _Report:
    """What `path` holds of the learning that `fresh` begins, with its command and versions; else `fresh`.

    Raises:
        OutputError: it holds a learning with another budget, or a file that cannot be read.
    """
    if not path.exists():
        return fresh
    try:
        found = type(fresh).model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise OutputError(f"{path} is no report of this command.", hint="Name a new --output.") from error
    if found.budget != fresh.budget:
        raise OutputError(
            f"{path} was made with another budget.", hint="Name a new --output, or the same options."
        )
    return found.model_copy(update={"command": fresh.command, "versions": fresh.versions})
