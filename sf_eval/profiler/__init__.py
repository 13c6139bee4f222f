"""What a model costs: FLOPs in closed form and traced, latency and memory measured.

Runs with torch and transformers alone. Nothing here imports torch until it is needed: the closed form is
plain integers.
"""

from sf_eval.profiler.cost.closed_form import Convention, DecodeVariant, Unit, Workload, cost
from sf_eval.profiler.cost.question import (
    QuestionComparison,
    QuestionCost,
    compare_question,
    cost_of_question,
)
from sf_eval.profiler.cost.shape import ModelShape, VisionShape
from sf_eval.profiler.cost.tokens import TokenCounts, count_tokens

__all__ = [
    "Convention",
    "DecodeVariant",
    "ModelShape",
    "QuestionComparison",
    "QuestionCost",
    "TokenCounts",
    "Unit",
    "VisionShape",
    "Workload",
    "compare_question",
    "cost",
    "cost_of_question",
    "count_tokens",
]
