"""Where other people's log lines go: into the run's own file, not over the progress bar."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sf_eval.core.files import output_error


def quiet_imports() -> None:
    """Call before lmms-eval or transformers are imported: their bars and banners read these at import."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send loguru (lmms-eval), logging and warnings to `path` while the block runs.

    Raises:
        OutputError: the file cannot be opened.
    """
    from loguru import logger as loguru_logger

    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise output_error(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    previous = root.handlers[:]
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    loguru_logger.remove()
    sink = loguru_logger.add(path, level="INFO", enqueue=False, backtrace=False, diagnose=False)
    try:
        yield
    finally:
        loguru_logger.remove(sink)
        loguru_logger.add(sys.stderr, level="WARNING")
        logging.captureWarnings(False)
        root.handlers[:] = previous
        handler.close()
