"""Questions about clips become answers or typed failures. Knows the model and videos, no benchmark."""

from sf_eval.inference.question import (
    Answer,
    Failure,
    FailureKind,
    Question,
    QuestionKey,
    Result,
    StageTimings,
    TimedPrompt,
)

__all__ = [
    "Answer",
    "Failure",
    "FailureKind",
    "Question",
    "QuestionKey",
    "Result",
    "StageTimings",
    "TimedPrompt",
]
