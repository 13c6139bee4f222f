"""Words become scores: answers read from outputs, outcomes, accuracies with intervals, paired comparisons."""

from __future__ import annotations

from sf_eval.scoring.answers.extract import extract_answer
from sf_eval.scoring.outcome import Outcome

__all__ = ["Outcome", "extract_answer"]
