"""The command line, called in this process: importing lmms-eval takes longer than most of these tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sf_eval.cli.main import _run

SF_EVAL = Path(sys.executable).with_name("sf-eval")


@dataclass(frozen=True)
class Finished:
    code: int
    out: str
    err: str


@pytest.fixture
def sf_eval(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Finished]:
    """Run `sf-eval ARGS` as the installed command does, with a terminal of 200 columns."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*args: str | Path) -> Finished:
        capfd.readouterr()
        code = _run([str(arg) for arg in args])
        captured = capfd.readouterr()
        return Finished(code, captured.out, captured.err)

    return call


@pytest.fixture
def in_a_shell() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command line as a user types it, with our scripts on the PATH."""
    return _in_a_shell


def _in_a_shell(command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{SF_EVAL.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env={**os.environ, "PATH": path, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
