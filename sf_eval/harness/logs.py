"""Where other people's log lines go: into the run's own file, not over the progress bar."""

from __future__ import annotations

import io
import logging
import os
import sys
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

    lmms-eval sets up loguru anew when it is imported and whenever it evaluates, and shows bars of its own:
    they write to whatever `sys.stderr` is at that time. Sinks that the process had before stay its own.

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
        with _loguru_apart(), redirect_stderr(stream):
            yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = previous
        root.setLevel(level)
        stream.close()


_default_sink = 0  # loguru's own first one; anew with another number after each block


@contextmanager
def _loguru_apart() -> Iterator[None]:
    """Sinks added inside the block end with it; those from before outlive it, whoever calls `remove()`.

    lmms-eval calls `logger.remove()`, which takes every sink of the process. loguru's own first sink writes
    to the stderr of its import, over the progress bar: it is set aside while the block runs.
    """
    logger = loguru.logger
    global _default_sink
    had_default = _removed(_default_sink)
    first = _next_id()
    remove = logger.remove

    def remove_own(handler_id: int | None = None) -> None:
        if handler_id is not None:
            remove(handler_id)
            return
        for own in range(first, _next_id()):
            with suppress(ValueError):
                remove(own)

    logger.remove = remove_own  # type: ignore[method-assign]
    try:
        yield
    finally:
        remove_own()
        logger.remove = remove  # type: ignore[method-assign]
        if had_default:
            _default_sink = logger.add(sys.stderr)


def _removed(handler_id: int) -> bool:
    """Whether there was a sink with this number, which is gone now."""
    try:
        loguru.logger.remove(handler_id)
    except ValueError:
        return False
    return True


def _next_id() -> int:
    """The number that the next sink would have; loguru counts them up and gives none twice."""
    number = loguru.logger.add(lambda _: None)
    loguru.logger.remove(number)
    return number + 1
