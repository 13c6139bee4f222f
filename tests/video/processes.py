"""Clips that hang, and processes that should be gone.

A named pipe stands for a video that hangs the decoder: opening one blocks until somebody writes to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def hanging(path: Path) -> Path:
    os.mkfifo(path)
    return path


def wait_for(condition: Callable[[], T], what: str) -> T:
    for _ in range(3000):
        if result := condition():
            return result
        time.sleep(0.01)
    raise AssertionError(f"waited 30 s in vain: {what}")


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    with suppress(FileNotFoundError, ProcessLookupError):
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False
