"""What a run of the steps found: the dataclasses behind `report.json` (docs/schemas/gpu_report.md)."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

SCHEMA_VERSION = 1

Status = Literal["ok", "failed", "timeout", "running", "not run"]
Unit = Literal["s", "%", "bytes", "FLOP/s", "byte/s", "token/s", "x", "1/s", "frames", "count"]


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        key: unique in the report, e.g. "shape.slow_fast.128.ttft".
        value: in `unit`; None where it could not be had, for the reason in `note`.
        n: how many measurements the value is the median of; 0 where it is no such thing.
        at_least, at_most: what is to be reached, in `unit`.
    """

    key: str
    what: str
    value: float | None
    unit: Unit
    n: int = 0
    at_least: float | None = None
    at_most: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None where there is none, or nothing was measured."""
        if self.value is None or (self.at_least is None and self.at_most is None):
            return None
        low = self.at_least is None or self.value >= self.at_least
        high = self.at_most is None or self.value <= self.at_most
        return low and high


@dataclass(frozen=True)
class StepRecord:
    """How one step ended, and what it had found by then.

    Attributes:
        reason: why it has not ended well, in words.
        seconds: of wall-clock time, the process's start included.
        detail: everything measured, as plain data; keys are the step's own.
    """

    name: str
    title: str
    status: Status
    reason: str
    seconds: float
    limit_s: float
    rows: tuple[Row, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A whole run.

    Attributes:
        dry: a rehearsal on a CPU with the mini model: its figures say nothing of any GPU.
        finished: False while steps are still to come, and in what a run that was cut off left behind.
        card: the device's name, "" until the first step told it.
        commit: of the tree that was run, as far as known; `source_sha256` tells the tree itself.
    """

    dry: bool
    created: str
    finished: bool
    card: str
    commit: str
    source_sha256: str
    command: str
    seconds: float
    steps: tuple[StepRecord, ...]
    schema_version: int = SCHEMA_VERSION

    @property
    def rows(self) -> tuple[Row, ...]:
        return tuple(row for step in self.steps for row in step.rows)

    def row(self, key: str) -> Row | None:
        return next((row for row in self.rows if row.key == key), None)

    def step(self, name: str) -> StepRecord | None:
        return next((step for step in self.steps if step.name == name), None)

    def to_json(self) -> dict[str, Any]:
        """Plain data, schema version first; rows carry `met` too, for readers without this file."""
        data = asdict(self)
        for step, record in zip(data["steps"], self.steps, strict=True):
            step["rows"] = [row_to_json(row) for row in record.rows]
        return {"schema_version": data.pop("schema_version"), **data}


def row_to_json(row: Row) -> dict[str, Any]:
    return {**asdict(row), "met": row.met}


def row_from_json(value: dict[str, Any]) -> Row:
    return Row(**{key: item for key, item in value.items() if key != "met"})


def read_report(path: Path) -> Report:
    """Read a `report.json`.

    Raises:
        ValueError: of another schema version, or not such a file.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version != SCHEMA_VERSION:
        raise ValueError(f"{path} has the schema version {version!r}; this program reads {SCHEMA_VERSION}.")
    steps = tuple(
        StepRecord(**{**step, "rows": tuple(row_from_json(row) for row in step["rows"])})
        for step in value["steps"]
    )
    return Report(**{**value, "steps": steps})


def card_slug(name: str) -> str:
    """A folder's name for a device: "NVIDIA H100 80GB HBM3" -> "nvidia-h100-80gb-hbm3"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unknown"
