"""Data as scripts: a page that is opened from a file may load scripts, and nothing else.

A script holds one call with two string literals: a name, and JSON. Nothing of the data is ever code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

FOLDER = "data"
CHUNK_BYTES = 200_000
"""A chunk is closed once it is as large: little enough to load when somebody comes to its first question."""

TEXT_CHARACTERS = 20_000


def write(folder: Path, name: str, value: Any) -> int:
    """Write `value` to `data/<name>.js`; returns its size in bytes."""
    payload = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    script = f"sfView.take({json.dumps(name)},{json.dumps(payload)});\n".encode("ascii")
    path = folder / FOLDER / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(script)
    return len(script)


def size(value: Any) -> int:
    """About how many bytes a value takes in a chunk."""
    return len(json.dumps(value, ensure_ascii=True, separators=(",", ":")))


def batches(items: Iterable[Any], count: int) -> Iterator[list[Any]]:
    """`count` items at a time."""
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) == count:
            yield batch
            batch = []
    if batch:
        yield batch


def shortened(text: str) -> dict[str, Any]:
    """A text for the page: whole, or its beginning and its end with how many characters lie between.

    Lone surrogates, which are no text, become U+FFFD.
    """
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if len(clean) <= TEXT_CHARACTERS:
        return {"text": clean, "left_out": 0, "end": ""}
    half = TEXT_CHARACTERS // 2
    return {"text": clean[:half], "left_out": len(clean) - 2 * half, "end": clean[-half:]}
