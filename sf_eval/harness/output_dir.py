"""An output directory: one run at a time, resumable, and never mistaken for another run's.

`run.json` says what the directory belongs to (a fingerprint of the plan) and whether it is complete. The
lock is the operating system's and goes with the process, so a kill leaves nothing to clean up.

A directory that is named may grow: more tasks, more questions of a task. Nothing that it holds is ever
replaced by less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.harness.record import RunFacts, RunState

STATE = "run.json"
JOURNAL = "journal.jsonl"
LOCK = ".lock"
RUNS = Path("results/runs")
TASKS = "tasks"
COMPARISON = "comparison"  # what tells the fingerprint of several runs from that of one
RUNS_OF_A_COMPARISON = "runs"
Fingerprint = dict[str, Any]


def choose(wanted: Path | None, model: str, fingerprint: Fingerprint) -> Path:
    """The directory of this run.

    Without `--output`: the newest unfinished run of the same plan below `results/runs`, so that running the
    same command again resumes; else a new `results/runs/<time>-<model>`.

    Args:
        model: what a new directory is called after.
        fingerprint: every setting that makes two runs the same run. Under `tasks` it holds, by name, how many
            questions are asked and the digest of their data; under `runs` those of a comparison, by name.

    Raises:
        OutputError: `wanted` is a file, or holds a run of another plan.
    """
    if wanted is None:
        return _unfinished(fingerprint) or _new(model)
    state = _state_of(wanted)
    if state is not None and (
        difference := _difference(state.plan, fingerprint) or _loss(state.plan, fingerprint)
    ):
        raise _other_run(wanted, difference)
    return wanted


def check(wanted: Path | None, settings: Fingerprint) -> None:
    """Refuse a named directory early, by the part of the fingerprint that is known before any data is read.

    Raises:
        OutputError: as `choose`.
    """
    state = None if wanted is None else _state_of(wanted)
    if wanted is not None and state is not None:
        known = {key: value for key, value in state.plan.items() if key in settings or key == COMPARISON}
        if difference := _difference(known, settings):
            raise _other_run(wanted, difference)


def _state_of(wanted: Path) -> RunState | None:
    """What the named directory belongs to; None where it is free.

    Raises:
        OutputError: a file, or a directory with something else in it.
    """
    if wanted.exists() and not wanted.is_dir():
        raise OutputError(f"--output {wanted} is a file.", hint="Name a directory.")
    state = read_state(wanted)
    if state is None and wanted.is_dir() and any(not _is_left_over(entry) for entry in wanted.iterdir()):
        raise OutputError(
            f"--output {wanted} is not empty and holds no run of sf-eval.", hint="Name a new directory."
        )
    return state


def _other_run(wanted: Path, difference: str) -> OutputError:
    return OutputError(
        f"--output {wanted} holds another run ({difference}).", hint="Name a new directory for this one."
    )


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


def write_state(
    directory: Path, fingerprint: Fingerprint, *, complete: bool, facts: RunFacts | None = None
) -> None:
    state = RunState(plan=fingerprint, complete=complete, facts=facts)
    files.write_json(directory / STATE, state.model_dump(mode="json"))


def read_state(directory: Path) -> RunState | None:
    """What the directory belongs to, or None where it holds no run.

    Raises:
        OutputError: `run.json` is there but is not ours, or of another version.
    """
    path = directory / STATE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read: {error}.") from error
    try:
        return RunState.model_validate_json(text)
    except ValidationError as error:
        raise OutputError(
            f"{path} was not written by this version of sf-eval.", hint="Name a new directory."
        ) from error


def _difference(old: Fingerprint, new: Fingerprint) -> str:
    """The first setting in which two plans differ, as words; empty where they are the same.

    What may grow is left to `_loss`.
    """
    old, new = _plain(old), _plain(new)
    keys = (set(old) | set(new)) - {TASKS, RUNS_OF_A_COMPARISON}
    for key in sorted(keys, key=lambda key: (key != COMPARISON, key)):
        if old.get(key) != new.get(key):
            return f"{key} was {old.get(key)!r}, now {new.get(key)!r}"
    return ""


def _loss(old: Fingerprint, new: Fingerprint) -> str:
    """What of the old plan the new one would replace by less or by something else, as words."""
    old, new = _plain(old), _plain(new)
    for name, settings in old.get(RUNS_OF_A_COMPARISON, {}).items():
        if name not in new.get(RUNS_OF_A_COMPARISON, {}):
            return f"it has a run {name}, which this command does not ask for"
        if difference := _difference(settings, new[RUNS_OF_A_COMPARISON][name]):
            return f"{name}: {difference}"
    for name, task in old.get(TASKS, {}).items():
        now: Mapping[str, Any] | None = new.get(TASKS, {}).get(name)
        if now is None:
            return f"it has answers to {name}, which this command does not ask"
        if now["data"] != task["data"]:
            return f"the annotations of {name} were others"
        if now["questions"] < task["questions"]:
            return f"it asks {task['questions']} questions of {name}, this command {now['questions']}"
    return ""


def _plain(fingerprint: Fingerprint) -> Fingerprint:
    """As it looks once it was written and read."""
    plain: Fingerprint = json.loads(json.dumps(fingerprint))
    return plain


def _unfinished(fingerprint: dict[str, Any]) -> Path | None:
    if not RUNS.is_dir():
        return None
    for directory in sorted(RUNS.iterdir(), reverse=True):
        try:
            state = read_state(directory) if directory.is_dir() else None
        except OutputError:
            continue  # a stranger's folder among ours is none of our business
        if state and not state.complete and state.plan == _plain(fingerprint):
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
