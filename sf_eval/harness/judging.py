"""Judges each result as it comes, for whoever watches a run. Asking itself knows no score, and the record is
judged again from the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sf_eval.benchmarks.document import Document
from sf_eval.inference import Failure, QuestionKey, Result
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.settling import Settled, Settling


class JudgedWatcher(Protocol):
    """Whoever shows results with what became of them."""

    def result(
        self, result: Result, *, resumed: bool, outcome: Outcome, video: str, credit: float | None = None
    ) -> None:
        """`video` is the cluster of the question: answers about one video are not independent.

        Args:
            credit: from 0 to 1, where the outcome enters a score.
        """


@dataclass(frozen=True)
class Judging:
    """A watcher of asking (`sf_eval.harness.ask.Watcher`) that tells another the outcome, too.

    Attributes:
        document_of: of every question that a result may come for; None where nobody knows.
        settlings: by task, how its answers become outcomes.
    """

    document_of: Callable[[QuestionKey], Document | None]
    settlings: Mapping[str, Settling]
    watcher: JudgedWatcher

    def result(self, result: Result, *, resumed: bool) -> None:
        document = self.document_of(result.key)
        video = "" if document is None else document.video_id
        settled = self._settled(result, document)
        self.watcher.result(
            result, resumed=resumed, outcome=settled.outcome, video=video, credit=settled.credit
        )

    def _settled(self, result: Result, document: Document | None) -> Settled:
        if isinstance(result, Failure):
            return Settled(Outcome(result.kind.value))
        cut_off = result.finish_reason == "length"
        assert document is not None, "an answer to a question that nobody asked"
        return self.settlings[result.key.task].settle(document, result.text, cut_off=cut_off)
