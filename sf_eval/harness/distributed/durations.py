"""How long each question's video is, as far as its row tells: for what is asked first, never for a report."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from sf_eval.benchmarks.document import Document
from sf_eval.harness.plan import RunPlan
from sf_eval.inference import Question, QuestionKey

# Video-MME's groups by their mean lengths in its paper (arXiv 2405.21075, table 1): 80.8, 515.9, 2466.7 s.
_GROUPS_S = {"short": 80.8, "medium": 515.9, "long": 2466.7}
# Where no row tells, the file's size does, roughly: 1 Mbit/s, as for 360p to 480p.
_BYTES_PER_S = 125_000


def durations_of(plan: RunPlan) -> Callable[[Question], float]:
    """Tells the seconds of a planned question's video."""
    known = {
        QuestionKey(task.benchmark.name, document.index): seconds
        for task in plan.tasks
        for document in task.documents
        if (seconds := _stated(task.opened.row_seconds[document.index], document)) is not None
    }

    def duration_of(question: Question) -> float:
        clip = question.clip
        if clip is None:
            return 0.0
        if clip.end_s is not None:
            return max(0.0, clip.end_s - (clip.start_s or 0.0))
        seconds = known.get(question.key)
        return _size(clip.path) / _BYTES_PER_S if seconds is None else seconds

    return duration_of


def _stated(row_seconds: float, document: Document) -> float | None:
    if not math.isnan(row_seconds):
        return row_seconds
    return _GROUPS_S.get(document.categories.get("duration", ""))


def _size(path: Path) -> int:
    """Of the file, or of a folder's pictures; 0 where it is missing: its questions fail at once."""
    try:
        if path.is_dir():
            return sum(entry.stat().st_size for entry in path.iterdir())
        return path.stat().st_size
    except OSError:
        return 0
