"""Where other people's log lines go: into the run's own file, not over the progress bar."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path

import loguru

from sf_eval.core.files import output_error


def quiet_imports() -> None:
    """Call before lmms-eval or transformers are imported: their bars and banners read these at import."""
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


class _Log(io.TextIOBase):
    """The run's log. What does not fit on a full disk is lost: answers matter, and the journal says so."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._file.write(text.encode(errors="backslashreplace"))
        return len(text)

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """Send logging, warnings, and what lmms-eval writes to stderr to `path` while the block runs.

    lmms-eval sets up loguru anew whenever it evaluates, and shows bars of its own: both write to whatever
    `sys.stderr` is at that time.

    Raises:
        OutputError: the file cannot be opened.
    """
    try:
        stream = _Log(path)
    except OSError as error:
        raise output_error(path, error) from error
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    previous, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        with redirect_stderr(stream):
            yield
    finally:
        loguru.logger.remove()  # its sinks hold the stream that is closed now
        logging.captureWarnings(False)
        root.handlers[:] = previous
        root.setLevel(level)
        stream.close()
