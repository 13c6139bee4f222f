"""From annotation files to documents: which files of a folder they are, and what is in them."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sf_eval.benchmarks.annotations import check_document, check_row, read_rows
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.stored_documents import store_documents
from sf_eval.core.errors import DataError


def find_annotations(benchmark: Benchmark, folders: list[Path]) -> tuple[Path, list[Path]]:
    """The first folder with annotation files of the benchmark, and those files.

    Raises:
        DataError: there are none; the message lists every place.
    """
    for folder in folders:
        if files := annotations_in(folder, benchmark):
            return folder, files
    places = [str(folder / pattern) for folder in folders for pattern in benchmark.annotation_files]
    hint = (
        f"Put the files of {benchmark.hub_id} there (sf-eval data fetch --tasks {benchmark.name} "
        "--to DIR does it), or use --data mini."
    )
    if snapshots := sorted((folders[-1] / "snapshots").glob("*/")):
        hint = f"It is a repository of the Hub's cache: give one of its snapshots, such as {snapshots[0]}."
    raise DataError(
        f"the annotations of {benchmark.name} are missing; looked for {', '.join(places)}.", hint=hint
    )


def annotations_in(folder: Path, benchmark: Benchmark) -> list[Path]:
    """What the first of the benchmark's globs that matches anything matches in `folder`."""
    for pattern in benchmark.annotation_files:
        try:
            files = sorted(path for path in folder.glob(pattern) if path.is_file())
        except OSError as error:
            raise DataError(f"cannot look into {folder}: {error.strerror or error}.") from error
        if files:
            return files
    return []


def read_documents(benchmark: Benchmark, files: Iterable[Path]) -> tuple[Sequence[Document], Sequence[float]]:
    """Read, validate and translate all rows; a document's index counts through all files.

    Returns:
        The documents, which stay on the disk, and of each row the number in its column `duration` (seconds),
        NaN where it has none.

    Raises:
        DataError: naming file, row (counted from 0 through all files) and column of the first fault.
    """
    read = _Reading(benchmark, list(files))
    documents = store_documents(read.documents())
    if not documents:
        named = ", ".join(str(path) for path in read.files)
        raise DataError(f"{named}: there is no row in it.", hint=_DAMAGED)
    return documents, read.seconds


class _Reading:
    """Of one benchmark's files; of the rows before, it knows their ids."""

    def __init__(self, benchmark: Benchmark, files: Sequence[Path]) -> None:
        self.files = files
        self.seconds = array("d")
        self._benchmark = benchmark
        self._row_of_id: dict[str, int] = {}
        self._first_rows: list[int] = []

    def documents(self) -> Iterator[Document]:
        for path in self.files:
            self._first_rows.append(len(self.seconds))
            for row in read_rows(path):
                number = len(self.seconds)
                try:
                    check_row(row, number)
                    document = self._benchmark.read_row(number, row)
                    check_document(document, number)
                except DataError as error:
                    raise DataError(f"{path}: {error.message}", hint=error.hint or _DAMAGED) from error
                self._refuse_known_id(document, number, path)
                self.seconds.append(_seconds(row.get("duration")))
                yield document

    def _refuse_known_id(self, document: Document, number: int, path: Path) -> None:
        known = self._row_of_id.setdefault(document.id, number)
        if known != number:
            place = self.files[bisect_right(self._first_rows, known) - 1]
            raise DataError(
                f"{path}: row {number}: the question id {document.id!r} is already that of "
                f"row {known} of {place}.",
                hint=_DAMAGED,
            )


def _seconds(value: Any) -> float:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    try:
        return float(value) if is_number and value >= 0 else math.nan
    except OverflowError:  # JSON's whole numbers have no end
        return math.nan


_DAMAGED = "The file is damaged or not this benchmark's: fetch it again."
