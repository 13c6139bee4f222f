"""Files of benchmarks that others could not read either: `known_bad.csv`, each line with its source.

A video that cannot be decoded and is on the list was probably so when it was published; one that is not on it
is more likely damaged here. Nothing is on the list without a public report that names the file.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path, PurePosixPath

from sf_eval.benchmarks.document import Benchmark

LIST = Path(__file__).with_name("known_bad.csv")
DAMAGED_HERE = "not on the list of files that others could not read: more likely damaged here, fetch it again"


@dataclass(frozen=True)
class KnownBad:
    """One file that was publicly reported.

    Attributes:
        benchmark: the folder of the benchmarks that share it, e.g. "videomme".
        file: its name.
        unreadable_by: which decoders, as reported.
        reported: the report's date.
        source: the report's address.
        note: what was answered there; "" for nothing.
    """

    benchmark: str
    file: str
    unreadable_by: str
    reported: str
    source: str
    note: str

    @property
    def sentence(self) -> str:
        """What to say of it, for people."""
        note = f"; {self.note}" if self.note else ""
        return (
            f"known bad: {self.unreadable_by} could not read it either ({self.source}, {self.reported}{note})"
        )


def known_bad(benchmark: Benchmark, file: str) -> KnownBad | None:
    """The public report of a file, or None where there is none.

    Args:
        file: the video's path or name; without a suffix its id.
    """
    return _by_stem(LIST).get((benchmark.folder or benchmark.name, PurePosixPath(file).stem))


def told(benchmark: Benchmark, file: str) -> str:
    """Whether a video that cannot be decoded is known to be bad, or more likely damaged here."""
    found = known_bad(benchmark, file)
    return DAMAGED_HERE if found is None else found.sentence


@lru_cache(maxsize=2)
def _by_stem(path: Path) -> Mapping[tuple[str, str], KnownBad]:
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [KnownBad(**row) for row in csv.DictReader(lines)]
    assert all(getattr(row, field.name) or field.name == "note" for row in rows for field in fields(row))
    return {(row.benchmark, PurePosixPath(row.file).stem): row for row in rows}
