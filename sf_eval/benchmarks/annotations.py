"""Reads annotation files (parquet, JSON, JSON lines) as rows and refuses what no benchmark holds.

A file from a dataset is hostile until shown otherwise: it may not be what its name says, hold megabytes in
one cell, control characters, or values of the wrong type. Everything is refused with one DataError that
names row and column; the caller adds the file's name.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Generator, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.options import LETTERS
from sf_eval.benchmarks.rows import MAX_TEXT
from sf_eval.core.errors import DataError

MAX_FILE_BYTES = 512 << 20
MAX_ROWS = 1_000_000
_MAX_BATCH = 1024
_SPACE = re.compile(r"[\s\ufeff]*")


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a .parquet file, or of a .json or .jsonl file (a list of objects, or one object a line).

    Of parquet and of a .jsonl file with a row a line, few are in memory at a time.

    Raises:
        DataError: not readable, not of that format, empty, or too large; names the file.
    """
    rows = 0
    try:
        size = path.stat().st_size
        if size == 0:
            raise DataError(f"{path} is empty.", hint="Fetch it again.")
        if size > MAX_FILE_BYTES:
            raise DataError(f"{path} has {size} bytes; no annotation file is that large.")
        for row in _read_parquet(path) if path.suffix == ".parquet" else _read_json(path):
            yield row
            rows += 1
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}.") from error
    if not rows:
        raise DataError(f"{path} has no rows.", hint="Fetch it again.")


def _read_parquet(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            unpacked = sum(
                metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)
            )
            if metadata.num_rows > MAX_ROWS or unpacked > MAX_FILE_BYTES:
                raise DataError(
                    f"{path} has {metadata.num_rows} rows of {unpacked} bytes in all: "
                    "no annotation file is that large."
                )
            # A text that many rows share is stored, and counted above, once: rows are counted as they are
            # unpacked, few enough at a time that not even the longest possible text fills the memory.
            at_a_time = min(max(MAX_FILE_BYTES // max(unpacked, 1), 1), _MAX_BATCH)
            size = 0
            for batch in file.iter_batches(batch_size=at_a_time):
                size += batch.nbytes
                if size > MAX_FILE_BYTES:
                    raise DataError(
                        f"{path} unpacks to over {MAX_FILE_BYTES} bytes: no annotation file is that large."
                    )
                yield from batch.to_pylist()
    except (pa.ArrowException, ValueError, OSError) as error:
        # pyarrow reports damaged pages as OSError without an errno; a real one (no permission) has one.
        if isinstance(error, OSError) and error.errno:
            raise
        raise DataError(f"{path} is not a readable parquet file: {_first_line(error)}") from error


def _read_json(path: Path) -> Iterator[dict[str, Any]]:
    """A JSON list of rows, or rows one a line, whichever of both names the file has."""
    read: int | None = 0
    if path.suffix == ".jsonl" and (read := (yield from _rows_of_lines(path))) is None:
        return
    # What follows is written otherwise, or damaged: then the whole file tells.
    yield from islice(_whole_json(path), read, None)


def _rows_of_lines(path: Path) -> Generator[dict[str, Any], None, int | None]:
    """Rows as long as each is one line; returns how many stand before the first line that is none, None where
    all are rows."""
    read = 0
    with path.open("rb") as lines:
        for line in lines:
            if not line.strip(b" \t\r\n"):
                continue
            try:
                row = json.loads(line.decode())
            except (ValueError, RecursionError):
                return read
            if not isinstance(row, dict):
                return read
            yield row
            read += 1
    return None


def _whole_json(path: Path) -> list[dict[str, Any]]:
    try:
        values = _json_values(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}).") from error
    except RecursionError as error:
        raise DataError(f"{path} is not an annotation file: it is nested too deeply.") from error
    except ValueError as error:  # JSONDecodeError, or a number with thousands of digits
        raise DataError(f"{path} is not JSON: {_first_line(error)}") from error
    if len(values) == 1 and (isinstance(values[0], list) or path.suffix != ".jsonl"):
        (rows,) = values
    else:
        rows = values
    if not isinstance(rows, list):
        raise DataError(
            f"{path} holds {_kind(rows)}; it must hold a list of rows.",
            hint="A file of rows that stand one a line may have one row only if it is called .jsonl.",
        )
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {number} is {_kind(row)}; it must be an object with columns.")
    return rows


def _json_values(text: str) -> list[Any]:
    """All JSON values of `text`, one after the other.

    It is not cut into lines first: U+2028, U+2029 and U+0085 end a line for Python, and may stand in a JSON
    string as they are.
    """
    decoder = json.JSONDecoder()
    values: list[Any] = []
    at = _between_values(text, 0)
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        values.append(value)
        at = _between_values(text, at)
    return values


def _between_values(text: str, at: int) -> int:
    """The place of the next value: behind white space, and behind the byte order mark of an appended file."""
    match = _SPACE.match(text, at)
    assert match is not None  # it also matches nothing
    return match.end()


def check_row(row: Mapping[str, Any], number: int) -> None:
    """Refuse what no row of any benchmark holds, also in columns that its adapter does not read.

    Control characters are `RowReader`'s to refuse: in a column that nobody reads they harm nobody.

    Raises:
        DataError: a text too long; names row and column.
    """
    for column, value in row.items():
        for text in _texts(value):
            if len(text) > MAX_TEXT:
                raise DataError(
                    f"row {number}, column {column!r} has a text of {len(text)} characters, "
                    f"more than {MAX_TEXT}."
                )


def check_document(document: Document, number: int) -> None:
    """Refuse a document that cannot be asked or scored.

    Raises:
        DataError: no id, no question, too few or too many options (or neither options nor an accepted
            answer, or both), an empty option or accepted answer, an answer that is not among the options, no
            media path, or a clip with impossible times; names the row.
    """

    def refuse(problem: str) -> None:
        raise DataError(f"row {number}: {problem}.")

    if not document.id or not document.video_id:
        refuse("the question or its video has no id")
    if not document.question.strip():
        refuse("column 'question' is empty")
    _check_options(document, refuse)
    if not document.media.candidates:
        refuse("it names no video")
    _check_times(document, refuse)


def _check_options(document: Document, refuse: Any) -> None:
    """Options and a letter, or accepted answers: a question has the one or the other."""
    if document.references and not document.options:
        if not all(text.strip() for text in document.references):
            refuse("an accepted answer is empty")
    elif document.references:
        refuse("it has options and accepted answers of an open question")
    elif not 2 <= len(document.options) <= len(LETTERS):
        refuse(f"there are {len(document.options)} options; there must be 2 to {len(LETTERS)}")
    for letter, text in document.options.items():
        if not text.strip():
            refuse(f"option {letter} is empty")
    if document.answer is not None and document.answer not in document.options:
        refuse(f"the answer {document.answer!r} is none of the options {', '.join(document.options)}")


def _check_times(document: Document, refuse: Any) -> None:
    media = document.media
    for name, value in (("start", media.start_s), ("end", media.end_s), ("fps", media.fps)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            refuse(f"column {name!r} is {value}, which is no time")
    if media.fps is not None and media.fps == 0:
        refuse("column 'fps' is 0")
    if media.start_s is not None and media.end_s is not None and media.end_s < media.start_s:
        refuse(f"the clip ends at {media.end_s} s, before its start at {media.start_s} s")


def _texts(value: Any) -> list[str]:
    """All texts in a cell: itself, or those of a list or an object."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [text for item in (*value, *value.values()) for text in _texts(item)]
    return []


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(
        type(value), f"a {type(value).__name__}"
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
