"""How a model in training answers questions about videos that it does not learn from."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from sf_eval.core import files
from sf_eval.core.errors import UsageError
from sf_eval.model.attach import slow_fast_inputs
from sf_eval.training.attached.questions import TrainingQuestion

IGNORED = -100
_FOUND = "held_out.json"


@dataclass(frozen=True)
class Examined:
    """What held-out questions showed.

    Attributes:
        step: steps that had been trained.
        loss: mean over questions of the mean over an answer's tokens, in nats.
        right: share of the questions of whose answer every token was the likeliest, 0 to 1.
    """

    step: int
    questions: int
    loss: float
    right: float


def keep_out(
    questions: Sequence[TrainingQuestion], videos: int, seed: int
) -> tuple[list[TrainingQuestion], list[TrainingQuestion]]:
    """The questions to learn from, and those about `videos` videos, chosen by lot, that are kept from it.

    Raises:
        UsageError: no video is left to learn from.
    """
    every = sorted({question.video for question in questions})
    if videos >= len(every):
        raise UsageError(
            f"--held-out {videos} leaves nothing to learn from: there are {len(every)} videos.",
            hint="Hold out fewer videos.",
        )
    out = set(random.Random(f"held out {seed}").sample(every, videos))
    learned = [question for question in questions if question.video not in out]
    held = sorted((question for question in questions if question.video in out), key=lambda item: item.video)
    return learned, held


class Examiner:
    """Examines before the first step, every so many steps and after the last; keeps what it found.

    A training that is resumed is not examined twice at the same step.

    Args:
        questions: makes the held-out questions anew: what the model takes, with `labels`.
        folder: of what resuming needs.
        steps: of the whole training.
        every: steps between two examinations; None for those at the two ends alone.
        say: told what was found.
    """

    def __init__(
        self,
        model: Any,
        questions: Callable[[], Iterable[Mapping[str, Any]]],
        folder: Path,
        *,
        steps: int,
        every: int | None,
        say: Callable[[Examined], None],
    ) -> None:
        self._model, self._questions, self._path = model, questions, folder / _FOUND
        self._steps, self._every, self._say = steps, every, say

    @property
    def found(self) -> list[Examined]:
        """All examinations of this training so far, in the order of their steps."""
        if not self._path.exists():
            return []
        return [Examined(**item) for item in json.loads(self._path.read_text(encoding="utf-8"))]

    def __call__(self, done: int) -> None:
        """Examine after `done` steps, if it is time.

        Raises:
            OutputError: what was found cannot be written.
            VideoError: a video that cannot be decoded.
        """
        due = done in (0, self._steps) or (self._every is not None and done % self._every == 0)
        found = self.found
        if not due or any(item.step == done for item in found):
            return
        result = examine(self._model, self._questions(), done)
        kept = sorted([*found, result], key=lambda item: item.step)
        files.write_json(self._path, [asdict(item) for item in kept])
        self._say(result)


def examine(model: Any, questions: Iterable[Mapping[str, Any]], step: int) -> Examined:
    """Ask a model in training all `questions`; it goes on training as before."""
    losses, right = [], []
    training = model.training
    model.eval()
    with torch.no_grad():
        for inputs in questions:
            logits, wanted = predicted(model, inputs)
            counted = wanted != IGNORED
            losses.append(float(cross_entropy(logits, wanted, ignore_index=IGNORED)))
            right.append(bool((logits.argmax(-1) == wanted)[counted].all()))
    model.train(training)
    count = len(losses)
    return Examined(step, count, math.fsum(losses) / count, sum(right) / count)


def predicted(model: Any, inputs: Mapping[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits [N, V] in float32 and the labels [N] that they are of, `IGNORED` where there is none.

    Logits are made where labels are: a vocabulary is large.
    """
    with torch.no_grad():  # the tower is frozen
        ready = dict(inputs) if "slow" in inputs else slow_fast_inputs(model, inputs)
    labels = ready.pop("labels")
    length = labels.shape[1]
    first = max(int((labels != IGNORED).any(0).nonzero()[0]), 1)  # the first column predicts nothing
    logits = model(**ready, use_cache=False, logits_to_keep=length - first + 1).logits[:, :-1]
    return logits.flatten(0, 1).float(), labels[:, first:].flatten()
