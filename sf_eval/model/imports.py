"""Imports that cost seconds and bring nothing here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_wandb() -> Iterator[None]:
    """Let a package whose wandb is optional be imported as if wandb were not installed.

    timm imports wandb for its training log, which nothing here uses, and lmms-eval installs it: about four
    seconds of every start. Afterwards `import wandb` works as ever. A program that wants timm's own wandb log
    beside this package imports wandb first: then nothing is hidden.
    """
    if "wandb" in sys.modules:
        yield
        return
    sys.modules["wandb"] = None  # type: ignore[assignment]  # makes `import wandb` an ImportError
    try:
        yield
    finally:
        del sys.modules["wandb"]
