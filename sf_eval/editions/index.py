"""How a mini edition is told from real data, wherever it was copied to."""

from __future__ import annotations

from pathlib import Path

#: A mini edition's list of its files; where it lies, the data is synthetic.
INDEX = "mini_edition.json"


def is_edition(folder: Path) -> bool:
    """Whether `folder` is a mini edition, also one that was copied and is given as a directory."""
    return (folder / INDEX).exists()
