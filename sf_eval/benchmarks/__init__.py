"""What the task folders share: documents, prompts, media, answers, scores. No torch, no lmms-eval."""

from __future__ import annotations

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.extract import extract_answer
from sf_eval.benchmarks.outcome import Outcome

__all__ = ["Benchmark", "Document", "MediaRef", "Outcome", "extract_answer"]
