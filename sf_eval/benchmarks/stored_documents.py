"""Documents as JSON, and kept on the disk until they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.core.stored import stored


def store_documents(documents: Iterable[Document]) -> Sequence[Document]:
    """The documents, each read anew whenever it is asked for."""
    return stored(documents, _line, lambda line: document_from(json.loads(line)))


def fields_of(document: Document) -> dict[str, Any]:
    """As `dataclasses.asdict`, which copies every text: plain data to be written at once."""
    return _fields(document) | {"media": _fields(document.media)}


def document_from(fields: Mapping[str, Any]) -> Document:
    """The document that `fields_of` made `fields` of, JSON in between."""
    media = fields["media"]
    return Document(
        **{
            **fields,
            "media": MediaRef(**{**media, "candidates": tuple(media["candidates"])}),
            "references": tuple(fields.get("references", ())),  # the first runs' have none
        }
    )


def _line(document: Document) -> bytes:
    return json.dumps(fields_of(document)).encode()


def _fields(value: Document | MediaRef) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
