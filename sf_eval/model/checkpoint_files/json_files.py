"""The JSON files of a checkpoint, read with one clear line for what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sf_eval.core.errors import CheckpointError


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file of a checkpoint.

    Raises:
        CheckpointError: it cannot be read, or is not a JSON mapping.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON: {error}") from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} must hold a mapping of keys to values.")
    return values
