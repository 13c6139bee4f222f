"""The file that EgoSchema's server takes: video to the number of the option chosen, from 0."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sf_eval.benchmarks.document import Document

NO_ANSWER = -1


def submission(documents: Iterable[Document], answers: Mapping[str, str | None]) -> dict[str, int]:
    """What the submission file holds.

    Args:
        answers: document id to the letter read, or None where none was; documents that are not in it
            (because they failed) count as unanswered too.

    Returns:
        video to option number, -1 where there is no answer, as upstream writes it.
    """
    chosen: dict[str, int] = {}
    for document in documents:
        answer = answers.get(document.id)
        chosen[document.video_id] = NO_ANSWER if answer is None else list(document.options).index(answer)
    return chosen
