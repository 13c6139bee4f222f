"""Questions of a step as tensors. Prefix and video are read once a video; its questions follow as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sf_eval.training.lessons import Lesson


@dataclass(frozen=True)
class QuestionBatch:
    """The questions about B videos, K a video, those of one video one after another: Q = B * K rows.

    Attributes:
        ids: [Q, L] tokens after the video with the answer's letter, padded on the right. A position never
            sees what comes after it, so padding needs no mask.
        letter_at: [Q] the position that predicts the letter; the one after it predicts the end.
        letters: [Q] token to be predicted there.
        question_at: [Q] where the question has just been read.
        answers: [Q] what will be right, in `lessons.ANSWERS`.
        option_at: [O, 2] row and position of each option's end.
        option_right: [O] 1.0 where it is the right one.
    """

    ids: torch.Tensor
    letter_at: torch.Tensor
    letters: torch.Tensor
    question_at: torch.Tensor
    answers: torch.Tensor
    option_at: torch.Tensor
    option_right: torch.Tensor


def pack(lessons: Sequence[Lesson], device: torch.device | str = "cpu") -> QuestionBatch:
    length = 1 + max(len(lesson.ids) for lesson in lessons)
    rows = [[*lesson.ids, lesson.letter] for lesson in lessons]
    options = [
        (row, end, float(place == lesson.correct))
        for row, lesson in enumerate(lessons)
        for place, end in enumerate(lesson.option_ends)
    ]
    return QuestionBatch(
        ids=torch.tensor([row + [0] * (length - len(row)) for row in rows], device=device),
        letter_at=torch.tensor([len(lesson.ids) - 1 for lesson in lessons], device=device),
        letters=torch.tensor([lesson.letter for lesson in lessons], device=device),
        question_at=torch.tensor([lesson.question_end for lesson in lessons], device=device),
        answers=torch.tensor([lesson.answer for lesson in lessons], device=device),
        option_at=torch.tensor([option[:2] for option in options], device=device),
        option_right=torch.tensor([option[2] for option in options], device=device),
    )
