"""What a step writes down as it goes: on disk at once, so that a step which hangs leaves what it had."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.gpu.report import Row, row_from_json, row_to_json


@dataclass(frozen=True)
class Setup:
    """What a step is told.

    Attributes:
        dry: the mini model on a CPU instead of the 7B shape on a GPU.
        device: "cuda:0" or "cpu".
        limit_s: the step is ended after so many seconds.
        step_file: where its book lies.
        out: folder for files that a step leaves besides.
    """

    dry: bool
    device: str
    limit_s: float
    step_file: Path
    out: Path

    def to_json(self) -> str:
        return json.dumps({**asdict(self), "step_file": str(self.step_file), "out": str(self.out)})

    @classmethod
    def from_json(cls, text: str) -> Setup:
        value = json.loads(text)
        return cls(**{**value, "step_file": Path(value["step_file"]), "out": Path(value["out"])})


class StepError(Exception):
    """A step that went through, but not with everything in it; its message says what is lacking."""


@dataclass
class Book:
    """Rows and details of one step."""

    setup: Setup
    rows: list[Row] = field(default_factory=list)
    detail: dict[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def row(self, row: Row) -> None:
        self.rows.append(row)
        self._save()

    def put(self, key: str, value: Any) -> None:
        self.detail[key] = value
        self._save()

    @property
    def seconds_left(self) -> float:
        """Until the step is ended, less a little for what comes last."""
        return self.setup.limit_s - (time.monotonic() - self.started) - 2.0

    def _save(self) -> None:
        value = {"rows": [row_to_json(row) for row in self.rows], "detail": self.detail}
        temporary = self.setup.step_file.with_suffix(".part")
        temporary.write_text(json.dumps(value), encoding="utf-8")
        temporary.replace(self.setup.step_file)


def read_book(path: Path) -> tuple[tuple[Row, ...], dict[str, Any]]:
    """What a step has written so far; nothing where it has not begun to."""
    if not path.is_file():
        return (), {}
    value = json.loads(path.read_text(encoding="utf-8"))
    return tuple(row_from_json(row) for row in value["rows"]), value["detail"]
