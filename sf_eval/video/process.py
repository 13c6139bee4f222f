"""One worker process and the pipes to it: ask, wait no longer than allowed, kill."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.paths import PACKAGE
from sf_eval.video import wire
from sf_eval.video.errors import WorkerStartError

_PIPE_BYTES = 1 << 20  # the kernel's limit for who is not root
_START_LIMIT_S = 120.0  # a cold start from a slow network disk
# Not `-m`: that would put the working directory, and whatever lies there, in front of the search path.
_START = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from sf_eval.video.worker import main; sys.exit(main(int(sys.argv[1])))"
)


def _start(log: int, ended: threading.Event) -> subprocess.Popen[bytes]:
    """Start a worker from a thread of its own that stays until `ended`.

    The kernel ends a worker with the thread that started it (`worker`). A caller's thread may come and go.
    """
    started: Future[subprocess.Popen[bytes]] = Future()

    def start_and_stay() -> None:
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _START, str(os.getpid()), str(PACKAGE.parent), *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                bufsize=0,
                start_new_session=True,  # Ctrl-C in the terminal goes to the parent alone
            )
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(process)
        del process  # the caller's to keep, or to lose: then its pipes close and the worker ends
        ended.wait()

    threading.Thread(target=start_and_stay, name="video-worker-starter", daemon=True).start()
    return started.result()


class WorkerTimeoutError(Exception):
    """The worker has not answered in time."""


class WorkerDiedError(Exception):
    """The worker ended while it worked on a request."""


class WorkerGoneError(Exception):
    """The worker ended before it took the request, which therefore had no part in its end."""


class WorkerProcess:
    """A running worker."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - what the decoder prints; as long-lived as we are
        self._ready = False
        self._ended = threading.Event()
        weakref.finalize(self, self._ended.set)
        self.process = _start(self._log.fileno(), self._ended)
        self._widen_pipe()

    def exchange(
        self, request: dict[str, Any], timeout_s: float, *, room: wire.PixelRoom = wire.ordinary_room
    ) -> tuple[dict[str, Any], NDArray[np.uint8] | None]:
        """Send one request; return the answer's header and its pixels, if it has any.

        Args:
            room: for the pixels.

        Raises:
            WorkerTimeoutError, WorkerDiedError, WorkerGoneError: then this worker is of no use any more.
            WorkerStartError: the worker does not start.
        """
        if not self._ready:
            self._wait_until_ready()
        os.ftruncate(self._log.fileno(), 0)
        deadline = time.monotonic() + timeout_s
        try:
            self._write(wire.packed(request))
            self._read_header(deadline)  # "taken"
        except WorkerDiedError as error:
            raise WorkerGoneError from error
        header = self._read_header(deadline)
        pixels = wire.pixel_buffer(header, room)
        if pixels is not None:
            self._read_into(wire.raw_bytes(pixels), deadline)
        return header, pixels

    def signal_end(self) -> None:
        """Kill the process; a thread inside `exchange` then gets an error."""
        self.process.kill()

    def end(self) -> None:
        """Kill the process, wait until it is gone, close the pipes. No other thread may be in `exchange`."""
        self.process.kill()
        self.process.wait()
        self._ended.set()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def last_words(self) -> str:
        """How the ended process ended, with the last line it printed."""
        code = self.process.returncode
        end = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._log.seek(max(os.fstat(self._log.fileno()).st_size - 2000, 0))
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return f"{end}: {lines[-1]}" if lines else end

    def _widen_pipe(self) -> None:
        """Let a clip's pictures leave the decoder at once: it goes on while they are waited for or read."""
        assert self.process.stdout is not None
        with suppress(
            ImportError, AttributeError, OSError
        ):  # Linux alone, and no more than an administrator lets
            import fcntl

            fcntl.fcntl(self.process.stdout.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

    def _wait_until_ready(self) -> None:
        try:
            self._read_header(time.monotonic() + _START_LIMIT_S)
        except WorkerTimeoutError as error:
            raise WorkerStartError(f"the video worker does not start within {_START_LIMIT_S:g} s") from error
        except WorkerDiedError as error:
            if self.process.returncode < 0:  # killed from outside
                raise WorkerGoneError from error
            raise WorkerStartError(f"the video worker does not start ({self.last_words()})") from error
        self._ready = True

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self.process.stdin.fileno(), left) :]
            except BrokenPipeError as error:
                self.process.wait()
                raise WorkerDiedError from error

    def _read_header(self, deadline: float) -> dict[str, Any]:
        length = bytearray(wire.LENGTH.size)
        self._read_into(memoryview(length), deadline)
        body = bytearray(wire.LENGTH.unpack(length)[0])
        self._read_into(memoryview(body), deadline)
        header: dict[str, Any] = json.loads(body)
        return header

    def _read_into(self, buffer: memoryview, deadline: float) -> None:
        assert self.process.stdout is not None
        handle = self.process.stdout.fileno()
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        filled = 0
        while filled < len(buffer):
            if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
                raise WorkerTimeoutError
            count = os.readv(handle, [buffer[filled:]])
            if count == 0:
                self.process.wait()
                raise WorkerDiedError
            filled += count
