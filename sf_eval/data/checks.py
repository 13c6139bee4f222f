"""What a check found, and the checks of the machine: disk and libraries."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True)
class BadFile:
    """One file that something is wrong with, and what."""

    path: str
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """What one check found.

    Attributes:
        name: what was checked: "annotations", "counts", "media", "decoding", "subtitles", "manifest", "disk",
            "libraries".
        subject: the benchmark's name, or "" for the machine.
        status: "failure" where a run would fail or lose questions, "warning" where its numbers would not be
            comparable.
        detail: one line for the table.
        bad_files: every file concerned, each with its reason.
    """

    name: str
    subject: str
    status: Status
    detail: str
    bad_files: tuple[BadFile, ...] = ()


def would_fail(results: Iterable[CheckResult]) -> bool:
    """A run on this data would fail or lose questions."""
    return any(result.status == "failure" for result in results)


def check_disk(folder: Path, *, needed_bytes: int = 1 << 30, what: str = "") -> CheckResult:
    """Whether the disk that `folder` is (or will be) on has `needed_bytes` free for `what`."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{free / 1e9:.1f} GB free at {existing}, {needed_bytes / 1e9:.1f} GB wanted"
    return CheckResult("disk", what, "ok" if free >= needed_bytes else "failure", detail)


def check_libraries(distribution: str = "sf-eval") -> CheckResult:
    """Whether every library that the installed package requires is there in a version that it takes."""
    from packaging.requirements import Requirement

    wrong = []
    requirements = [Requirement(text) for text in metadata.requires(distribution) or ()]
    wanted = [each for each in requirements if each.marker is None or each.marker.evaluate({"extra": ""})]
    for requirement in wanted:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} is {version}, wanted is {requirement.specifier}")
    if wrong:
        return CheckResult("libraries", "", "failure", "; ".join(wrong))
    return CheckResult("libraries", "", "ok", f"all {len(wanted)} are there")
