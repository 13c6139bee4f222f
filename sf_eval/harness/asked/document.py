"""A question as it was asked."""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.benchmarks.document import Document
from sf_eval.harness.controls.record import ChangeRecord
from sf_eval.harness.recorded.samples import KindOfQuestionRecord
from sf_eval.inference import QuestionKey


@dataclass(frozen=True)
class AskedDocument:
    """A document as it was asked.

    Attributes:
        kind: what it takes, for questions of a mini edition.
        change: in what it is asked otherwise than its row has it.
    """

    key: QuestionKey
    document: Document
    kind: KindOfQuestionRecord | None
    change: ChangeRecord | None = None
