"""What a benchmark is and what it asks: documents, rows, options, prompts, subtitles, places of media."""

from __future__ import annotations

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Benchmark, Document, MediaRef

__all__ = ["Benchmark", "Document", "MediaRef", "get_benchmark"]
