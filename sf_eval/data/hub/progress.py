"""How a fetch shows itself: the interface it reports to, and bars on a terminal (lines anywhere else)."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Literal, Protocol

Stage = Literal["download", "unpack"]


class Reporter(Protocol):
    """What a fetch reports to; called from one thread at a time except `advance`."""

    def say(self, line: str) -> None:
        """One line for the user."""

    def start(self, stage: Stage, total_bytes: int) -> None:
        """`stage` is about to move `total_bytes`."""

    def advance(self, stage: Stage, count: int) -> None:
        """`count` more bytes moved; called from any thread."""


class Silent:
    """Reports nothing."""

    def say(self, line: str) -> None: ...

    def start(self, stage: Stage, total_bytes: int) -> None: ...

    def advance(self, stage: Stage, count: int) -> None: ...


class TerminalReporter:
    """Bars with rate and remaining time on a terminal's stderr; only lines where stderr is no terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TaskID,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._console = Console(file=sys.stderr, soft_wrap=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description:9}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._bars: dict[Stage, TaskID] = {}

    def __enter__(self) -> TerminalReporter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def start(self, stage: Stage, total_bytes: int) -> None:
        if stage in self._bars:
            self._progress.remove_task(self._bars[stage])
        self._bars[stage] = self._progress.add_task(stage, total=total_bytes)

    def advance(self, stage: Stage, count: int) -> None:
        self._progress.update(self._bars[stage], advance=count)


def human_size(count: float) -> str:
    """Bytes in decimal units, as disks and the Hub count them: 1234567 -> "1.2 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
