"""From annotation files to documents: which files of a folder they are, and what is in them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sf_eval.benchmarks.annotations import check_document, check_row, read_rows
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.core.errors import DataError

Row = dict[str, Any]


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


def read_documents(benchmark: Benchmark, files: Iterable[Path]) -> tuple[list[Row], list[Document]]:
    """Read, validate and translate all rows; a document's index counts through all files.

    Raises:
        DataError: naming file, row (counted from 0 through all files) and column of the first fault.
    """
    rows: list[Row] = []
    documents: list[Document] = []
    seen: dict[str, str] = {}
    for path in files:
        for row in read_rows(path):
            number = len(rows)
            try:
                check_row(row, number)
                document = benchmark.read_row(number, row)
                check_document(document, number)
            except DataError as error:
                raise DataError(f"{path}: {error.message}", hint=error.hint or _DAMAGED) from error
            place = f"row {number} of {path}"
            if document.id in seen:
                raise DataError(
                    f"{path}: row {number}: the question id {document.id!r} is already that of "
                    f"{seen[document.id]}.",
                    hint=_DAMAGED,
                )
            seen[document.id] = place
            rows.append(row)
            documents.append(document)
    if not documents:
        named = ", ".join(str(path) for path in files)
        raise DataError(f"{named}: there is no row in it.", hint=_DAMAGED)
    return rows, documents


_DAMAGED = "The file is damaged or not this benchmark's: fetch it again."
