"""`questions.jsonl` of a kept run, read. Needs no model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.core.errors import OutputError
from sf_eval.harness.record import QuestionRecord


def question_lines(path: Path) -> Iterator[QuestionRecord]:
    """The lines of a `questions.jsonl`.

    Raises:
        OutputError: it cannot be read, is damaged or of another version.
    """
    try:
        # Not splitlines: a question may hold U+2028 and its like.
        lines = path.read_text(encoding="utf-8").split("\n")
        yield from (QuestionRecord.model_validate_json(line) for line in lines if line)
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged, or of another version"
        raise OutputError(f"{path} cannot be read: {reason}.") from error


def document_of(line: QuestionRecord) -> Document:
    """The document that was asked."""
    fields = line.document
    media = fields["media"]
    return Document(
        **{
            **fields,
            "media": MediaRef(**{**media, "candidates": tuple(media["candidates"])}),
            "references": tuple(fields.get("references", ())),  # version 1 has none
        }
    )
