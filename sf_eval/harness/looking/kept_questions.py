"""`questions.jsonl` of a kept run, read. Needs no model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.stored_documents import document_from
from sf_eval.core.errors import OutputError
from sf_eval.harness.recorded.samples import QuestionRecord


def question_lines(path: Path) -> Iterator[tuple[int, QuestionRecord]]:
    """The lines of a `questions.jsonl`, each with the byte at which it begins.

    Raises:
        OutputError: it cannot be read, is damaged or of another version.
    """
    start = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                if line != b"\n":
                    yield start, QuestionRecord.model_validate_json(line)
                start += len(line)
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged, or of another version"
        raise OutputError(f"{path} cannot be read: {reason}.") from error


def document_of(line: QuestionRecord) -> Document:
    """The document that was asked."""
    return document_from(line.document)
