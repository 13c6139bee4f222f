"""Real processes of `sf-eval`, cheaply: one process imports everything once and forks a child a command.

A child is as real as a started one (own process group, own limits, killed by real signals), but costs a
tenth of a second where a fresh `sf-eval` imports for 20.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

# One thread a command: the machine runs several, and a fork carries no other threads over.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}


@dataclass(frozen=True)
class Ended:
    """How a command ended: `code` is its exit code, or minus the signal that killed it."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line on stderr; there must be no other."""
        lines = self.err.splitlines()
        assert len(lines) == 1, f"one line expected on stderr, got {self.err!r}"
        return lines[0]


class Process:
    """A running `sf-eval`."""

    def __init__(self, zygote: Zygote, pid: int, folder: Path) -> None:
        self.zygote, self.pid, self._folder = zygote, pid, folder
        self._ended: Ended | None = None

    def signal(self, number: int) -> None:
        """Send a signal; a process that has ended is a zombie until `wait`, so its id is still its own."""
        assert self._ended is None
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        if self._ended is None:
            status = self.zygote.ask({"wait": self.pid})["status"]
            self._ended = Ended(os.waitstatus_to_exitcode(status), self._read("out"), self._read("err"))
        return self._ended

    def is_running(self) -> bool:
        return self._ended is None and _state(self.pid) not in ("Z", None)

    def wait_until(self, condition: Callable[[], bool], *, limit_s: float = 120.0) -> bool:
        """Whether `condition` came true before the process ended."""
        deadline = time.monotonic() + limit_s
        while not condition():
            if not self.is_running():
                return condition()
            assert time.monotonic() < deadline, f"nothing happened for {limit_s} s: {self._read('err')}"
            time.sleep(0.002)
        return True

    def let_run(self, seconds: float) -> None:
        """Wait so long, or until the process ended."""
        deadline = time.monotonic() + seconds
        while self.is_running() and time.monotonic() < deadline:
            time.sleep(0.002)

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text(encoding="utf-8", errors="replace")


class Zygote:
    """The process with everything imported. Ends when its input ends, so also when this process dies."""

    def __init__(self) -> None:
        # What imported modules leave behind in it goes with us: killed processes clean up nothing.
        self._temporary = tempfile.TemporaryDirectory(prefix="sf-eval-zygote-")
        self._environment = {**_ONE_THREAD, "TMPDIR": self._temporary.name}
        self.process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **self._environment},
            start_new_session=True,
        )
        assert self._answer() == {"ready": True}

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def start(
        self,
        folder: Path,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        file_limit: int | None = None,
        memory_limit: int | None = None,
        streams: str = "streams",
        program: str = "sf-eval",
    ) -> Process:
        """Start `sf-eval ARGS` in `folder`; what it prints goes into files below it.

        Args:
            program: or "lmms-eval", the stock command.
            env: set on top of the tests' own environment.
            file_limit: the kernel kills the command in the middle of the write that would make any file
                longer than this many bytes.
            memory_limit: bytes of address space that the command may take beyond the imported modules.
            streams: name of that folder, where two commands run in one `folder`.
        """
        printed = folder / f".{streams}"
        printed.mkdir(exist_ok=True, parents=True)
        request = {
            "program": program,
            "args": [str(arg) for arg in args],
            "cwd": str(folder),
            "env": {**os.environ, **self._environment, "COLUMNS": "200", **(env or {})},
            "streams": str(printed),
            "file_limit": file_limit,
            "memory_limit": memory_limit,
        }
        return Process(self, self.ask(request)["pid"], printed)

    def run(self, folder: Path, *args: str | Path, **options: Any) -> Ended:
        return self.start(folder, *args, **options).wait()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self._temporary.cleanup()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the zygote died"
        answer: dict[str, Any] = json.loads(line)
        return answer


@functools.cache
def shared_zygote() -> Zygote:
    """One for all tests of a session: its imports are what is slow."""
    zygote = Zygote()
    atexit.register(zygote.close)
    return zygote


def video_workers(parent_pid: int) -> list[int]:
    """Process ids of the decoders that `parent_pid` started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _state(int(entry.name)) not in ("Z", None):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"sf_eval.video.worker" in b" ".join(words) and str(parent_pid).encode() in words:
                found.append(int(entry.name))
    return found


def assert_no_workers(parent_pid: int) -> None:
    """The kernel ends them with their parent, which takes it a moment."""
    deadline = time.monotonic() + 20
    while workers := video_workers(parent_pid):
        assert time.monotonic() < deadline, f"decoders {workers} survived process {parent_pid}"
        time.sleep(0.01)


def _state(pid: int) -> str | None:
    """The kernel's one letter for a process's state (proc(5)), None where there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None


def _serve() -> dict[str, Any] | None:
    """The zygote's loop. Returns in each child what it must do; None in the zygote itself, at the end."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        if "wait" in request:
            _say({"status": os.waitpid(request["wait"], 0)[1]})
            continue
        pid = os.fork()
        if pid == 0:
            return request
        _say({"pid": pid})
    return None


def _say(value: Mapping[str, Any]) -> None:
    print(json.dumps(value), flush=True)


def _become(request: dict[str, Any]) -> Sequence[str]:
    """Turn a forked child into what a shell would have started."""
    import resource

    os.setsid()
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["cwd"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for handle, name in ((1, "out"), (2, "err")):
        path = Path(request["streams"]) / name
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), handle)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["file_limit"] is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it; ignored, the write only fails
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["file_limit"],) * 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if request["memory_limit"] is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + request["memory_limit"]
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return [request["program"], *request["args"]]


def _main() -> NoReturn:
    from sf_eval.harness.logs import quiet_imports

    quiet_imports()
    for name in (
        "lmms_eval.evaluator", "sf_eval.cli.actions.run", "sf_eval.lmms.adapter", "sf_eval.lmms.task",
        "sf_eval.report.run_profile", "pyarrow.parquet",
    ):  # fmt: skip
        importlib.import_module(name)
    from sf_eval.cli.main import _run

    gc.freeze()  # a child's collector would touch, and so copy, all that is imported
    _say({"ready": True})
    request = _serve()
    if request is None:
        os._exit(0)
    sys.argv = list(_become(request))
    if sys.argv[0] == "lmms-eval":
        from lmms_eval.__main__ import cli_evaluate

        _exit(lambda: cli_evaluate() or 0)
    _exit(lambda: _run(sys.argv[1:]))


def _exit(command: Callable[[], int]) -> NoReturn:
    """End like `sys.exit(command())`, but without taking the imported modules apart, which costs seconds."""
    try:
        code = command()
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.path.pop(0)  # the tests' folder
    _main()
