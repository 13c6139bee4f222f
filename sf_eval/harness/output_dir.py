"""An output directory: one run at a time, resumable, and never mistaken for another run's.

`run.json` says what the directory belongs to (a fingerprint of the plan) and whether it is complete. The
lock is the operating system's and goes with the process, so a kill leaves nothing to clean up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sf_eval.core import files
from sf_eval.core.errors import OutputError

STATE = "run.json"
JOURNAL = "journal.jsonl"
LOCK = ".lock"
RUNS = Path("results/runs")
_MAY_GROW = frozenset({"tasks"})


def choose(
    wanted: Path | None, model: str, fingerprint: dict[str, Any], *, may_grow: frozenset[str] = _MAY_GROW
) -> Path:
    """The directory of this run.

    Without `--output`: the newest unfinished run of the same plan below `results/runs`, so that running the
    same command again resumes; else a new `results/runs/<time>-<model>`.

    Args:
        model: what a new directory is called after.
        may_grow: what of the fingerprint may differ in a directory that is named, e.g. the tasks: each answer
            is keyed by its own task.

    Raises:
        OutputError: `wanted` is a file, or holds a run of another plan.
    """
    if wanted is None:
        return _unfinished(fingerprint) or _new(model)
    if wanted.exists() and not wanted.is_dir():
        raise OutputError(f"--output {wanted} is a file.", hint="Name a directory.")
    state = read_state(wanted)
    if state is None:
        if wanted.is_dir() and any(not _is_left_over(entry) for entry in wanted.iterdir()):
            raise OutputError(
                f"--output {wanted} is not empty and holds no run of sf-eval.", hint="Name a new directory."
            )
        return wanted
    if difference := _difference(state["plan"], fingerprint, ignoring=may_grow):
        raise OutputError(
            f"--output {wanted} holds another run ({difference}).", hint="Name a new directory for this one."
        )
    return wanted


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory for this process.

    Raises:
        OutputError: another process works in it, or it cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = FileLock(directory / LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"another sf-eval run is working in {directory}.",
            hint="Wait for it, or name another --output.",
        ) from error
    except OSError as error:
        raise files.output_error(directory, error) from error
    try:
        files.remove_half_written(directory)
        yield
    finally:
        lock.release()


def _is_left_over(entry: Path) -> bool:
    """What a run that was killed before it wrote its state leaves behind."""
    return entry.name == LOCK or files.is_half_written(entry)


def write_state(directory: Path, fingerprint: dict[str, Any], *, complete: bool) -> None:
    files.write_json(directory / STATE, {"schema_version": 1, "plan": fingerprint, "complete": complete})


def read_state(directory: Path) -> dict[str, Any] | None:
    """What the directory belongs to, or None where it holds no run.

    Raises:
        OutputError: `run.json` is there but is not ours.
    """
    try:
        state = json.loads((directory / STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{directory / STATE} cannot be read: {error}.") from error
    if not isinstance(state, dict) or not isinstance(state.get("plan"), dict):
        raise OutputError(f"{directory / STATE} was not written by sf-eval.")
    return state


def _difference(old: dict[str, Any], new: dict[str, Any], ignoring: frozenset[str] = frozenset()) -> str:
    """The first setting in which two plans differ, as words; empty where they are the same."""
    old, new = json.loads(json.dumps(old)), json.loads(json.dumps(new))
    for key in sorted((set(old) | set(new)) - ignoring):
        if old.get(key) != new.get(key):
            return f"{key} was {old.get(key)!r}, now {new.get(key)!r}"
    return ""


def _unfinished(fingerprint: dict[str, Any]) -> Path | None:
    if not RUNS.is_dir():
        return None
    for directory in sorted(RUNS.iterdir(), reverse=True):
        try:
            state = read_state(directory) if directory.is_dir() else None
        except OutputError:
            continue  # a stranger's folder among ours is none of our business
        if state and not state["complete"] and not _difference(state["plan"], fingerprint):
            return directory
    return None


def folder_name(model: str) -> str:
    """A model's name as that of a folder."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", model).strip("-") or "model"


def _new(model: str) -> Path:
    base = f"{datetime.now(timezone.utc):%Y%m%dT%H%M%SZ}-{folder_name(model)}"
    candidate, number = RUNS / base, 2
    while candidate.exists():
        candidate, number = RUNS / f"{base}-{number}", number + 1
    return candidate
