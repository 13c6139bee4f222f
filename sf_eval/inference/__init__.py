"""Answers many questions about many videos: clips in, answers or typed failures out."""

from sf_eval.inference.question import Answer, Failure, FailureKind, Question, StageTimings

__all__ = ["Answer", "Failure", "FailureKind", "Question", "StageTimings"]
