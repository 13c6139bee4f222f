"""The control that asks no model: every answer is the most frequent right letter of its task.

It looks at the truth, so it is no model's score: it is what anybody gets who knows nothing but how often each
letter is right, and so a bar that a model must clear.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import torch

from sf_eval.benchmarks.document import Document
from sf_eval.core import provenance
from sf_eval.core.cards import ModelCard
from sf_eval.harness.facts import ModelReport
from sf_eval.harness.identity import ModelIdentity, canonical_json, libraries_that_answer
from sf_eval.harness.memory import measure
from sf_eval.harness.opened import Opened, Took
from sf_eval.harness.plan import RunPlan
from sf_eval.harness.record import ModelRecord
from sf_eval.inference import Answer, Question, QuestionKey, Result, StageTimings, machine

_NOTE = "No model was asked: each answer is the most frequent right letter of its task, taken from the truth."


@dataclass(frozen=True)
class MostFrequentLetter:
    """Answers without looking at anything but the truth.

    Attributes:
        letters: the answer to each question.
    """

    letters: Mapping[QuestionKey, str]

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]:
        for question in questions:
            yield Answer(
                key=question.key,
                prompt=question.text(),
                text=self.letters[question.key],
                num_frames=0,
                frame_indices=(),
                prompt_tokens=None,
                fast_tokens=None,
                slow_tokens=0,
                new_tokens=None,
                finish_reason="stop",
                timings=StageTimings(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, batch_size=1),
            )


def most_frequent_letters(documents: Iterable[Document]) -> dict[int, str]:
    """By row, the letter that is right most often among `documents`; of several the first one.

    A question without that letter gets the most frequent one that it has. Without any public truth all
    letters are as frequent, and the first is taken.
    """
    asked = list(documents)
    count = Counter(document.answer for document in asked if document.answer is not None)
    return {
        document.index: max(sorted(document.options), key=lambda letter: count[letter]) for document in asked
    }


def most_frequent_answers(documents: Iterable[Document]) -> dict[int, str]:
    """By row, the option with that letter as its prompt calls it: "B", or "yes" where no letter was shown."""
    asked = {document.index: document for document in documents}
    letters = most_frequent_letters(asked.values())
    return {index: document.called(letters[index]) for index, document in asked.items()}


def opened_choice(plan: RunPlan) -> Opened:
    """Ready to be asked; nothing is loaded."""
    letters = {
        QuestionKey(task.benchmark.name, index): said
        for task in plan.tasks
        for index, said in most_frequent_answers(task.documents).items()
    }
    device = torch.device("cpu")
    report = ModelReport(
        record=_record(plan.card, letters),
        identity=_identity(letters),
        batch_size=1,
        versions=provenance.versions(),
        git_commit=provenance.git_commit(),
        machine=machine.describe(device),
        notes=(_NOTE,),
    )
    return Opened(report, MostFrequentLetter(letters), lambda: 0.0, lambda: Took(measure(device), 0.0, ()))


def _digest(letters: Mapping[QuestionKey, str]) -> str:
    told = canonical_json({str(key): letter for key, letter in letters.items()})
    return hashlib.sha256(told.encode()).hexdigest()


def _identity(letters: Mapping[QuestionKey, str]) -> ModelIdentity:
    return ModelIdentity(
        weights_digest=_digest(letters), slow_path="off", decode_slow_attention=True, dtype="", attn="",
        device_type="", sampling="", num_frames=0, target_fps=0.0, video_backend="", prompt_format="",
        libraries=libraries_that_answer(), family="choice",
    )  # fmt: skip


def _record(card: ModelCard, letters: Mapping[QuestionKey, str]) -> ModelRecord:
    return ModelRecord(
        name=card.name, title=card.title, weights="", revision="", weights_digest=_digest(letters),
        parameters=0, untrained=False, slow_path="off", decode_slow_attention=True, num_frames=0,
        sampling="published", target_fps=0.0, dtype="no weights", attn="no attention", licence="",
        published="", config={}, text_before_video=0, family="choice", closed_form=False,
    )  # fmt: skip
