"""Where a run's data comes from: the Hub, a directory or the mini editions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sf_eval.core.errors import UsageError, nearest
from sf_eval.editions import LABEL

Kind = Literal["hub", "directory", "mini"]


@dataclass(frozen=True)
class DataSource:
    """Where a run's data comes from.

    Attributes:
        kind: "hub", "directory" or "mini".
        root: the directory, for kind "directory".
        revision: the Hub commit, branch or tag that was asked for, for kind "hub".
        label: how tables name the source.
    """

    kind: Kind
    root: Path | None = None
    revision: str | None = None
    label: str = ""


def parse_source(text: str, revision: str | None = None) -> DataSource:
    """Read `--data`: "hub", "mini" or a directory.

    Raises:
        UsageError: no such directory, or a revision for something that has none.
    """
    if text == "hub":
        label = f"Hub, revision {revision}" if revision else "Hub"
        return DataSource("hub", revision=revision, label=label)
    if revision is not None:
        raise UsageError(f"--data {text} has no revisions.", hint="Only --data hub takes --data-revision.")
    if text == "mini":
        return DataSource("mini", label=LABEL)
    root = Path(text).expanduser()
    if root.is_dir():
        return DataSource("directory", root=root.absolute(), label=f"directory {root}")
    if root.exists():
        raise UsageError(f"--data {text} is a file.", hint="Give the folder that it lies in.")
    guess = "" if "/" in text else f" {nearest(text, ('hub', 'mini'))}"
    raise UsageError(
        f"--data {text}: there is no such directory.{guess}",
        hint="--data takes hub, mini or a directory that holds the benchmarks.",
    )
