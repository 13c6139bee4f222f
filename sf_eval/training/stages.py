"""The decoder's training, stage by stage: steps, data of a step, schedule, resuming."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from sf_eval.editions.questions import KINDS
from sf_eval.training.decoder import AuxiliaryHeads, Output, forward, losses, parameter_groups
from sf_eval.training.footage import Video
from sf_eval.training.lessons import Asker, Lesson, Teacher
from sf_eval.training.packing import QuestionBatch, pack
from sf_eval.training.recipe import FAST_FRAMES, Budget, Showing
from sf_eval.training.store import Store, optimizer_tensors, prefixed, restore_optimizer, under

_WARM_UP_STEPS = 50
_DECAY_SHARE = 0.4  # of the steps, at the end
_LOWEST = 0.02  # of the learning rate
_LEAST_NEED = 0.2  # nats; what is known is asked on, or it would be forgotten
_FORGETTING = 0.1  # weight of the latest step in a kind's mean loss
_SAVE_EVERY = 20
LAST_STEPS = 20
_VIDEOS_EXAMINED = 16

StepProgress = Callable[[str, int, int, float], None]


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one way of showing videos.

    Attributes:
        showing: "eventful" shows 16 frames, every brief event among them; "sixteen" the 16 of the published
            rule; "all" as many as there are.
        frames: how many frames are shown at a share of the stage from 0 to 1, for "all". Videos of fewer
            are not taken then, whatever is shown, so that all variants learn from the same ones.
        by_need: kinds of questions are asked the more often the less they are known, not all alike.
    """

    name: str
    steps: int
    showing: Showing
    frames: Callable[[float], int] = lambda _: FAST_FRAMES
    by_need: bool = False


class Trainer:
    """A model with its auxiliary heads and its optimisers.

    Args:
        model: a slow-fast model; of another kind where `_draw` and `_forward` are overridden.
        videos: what it learns from.
        teacher: asks about them.
        kinds: of the questions, each as often as it stands there; at least as many as a step asks of a video.

    Attributes:
        last_losses: of the last steps, `LAST_STEPS` at most, also of a process that was interrupted.
    """

    def __init__(
        self,
        model: Any,
        heads: AuxiliaryHeads,
        *,
        videos: Sequence[Video],
        teacher: Teacher,
        budget: Budget,
        seed: int,
        kinds: Sequence[str] = tuple(KINDS),
    ) -> None:
        self.model, self.heads = model, heads
        self._kinds = tuple(kinds)
        self._letter_loss = dict.fromkeys(self._kinds, 1.0)  # of late, a kind
        self.last_losses: deque[float] = deque(maxlen=LAST_STEPS)
        self._videos, self._teacher = videos, teacher
        self._budget, self._seed = budget, seed
        matrices, others = parameter_groups([model, heads])
        self._parameters = [*matrices, *others]
        self._optimizers: list[torch.optim.Optimizer] = [
            torch.optim.Muon(
                matrices, lr=budget.learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(others, lr=budget.learning_rate, weight_decay=0.0, betas=(0.9, 0.98)),
        ]

    def train(
        self, stage: Stage, store: Store, name: str, progress: StepProgress | None = None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """Run `stage`, or the rest of it where the store has its beginning under `name`.

        Args:
            kept: called whenever what was trained until then has been stored.
        """
        done = self._resume(store, name)
        self.model.train()
        for step in range(done, stage.steps):
            loss = self._step(stage, step)
            self.last_losses.append(loss)
            if (step + 1) % _SAVE_EVERY == 0:
                self._keep(store, name, step + 1)
                kept()
            if progress is not None:
                progress(name, step + 1, stage.steps, loss)
        self.model.eval()

    def _step(self, stage: Stage, step: int) -> float:
        self._set_rate(step, stage.steps)
        # The name of the variant is not in it: all variants are asked the same about the same videos.
        rng = random.Random(f"{self._seed} {stage.name} {step}")
        shown, lessons = self._draw(stage, step, rng)
        questions = pack(lessons, self.model.device)
        output = self._forward(shown, questions)
        loss = losses(output, questions, self._teacher.end).total(self._budget.auxiliary_weight)
        for optimizer in self._optimizers:
            optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        if stage.by_need:
            self._remember(
                lessons, cross_entropy(output.letters.detach(), questions.letters, reduction="none")
            )
        return loss.item()

    def _forward(self, features: Any, questions: QuestionBatch) -> Output:
        """The model's output for what `_draw` has drawn."""
        return forward(self.model, self.heads, features, self._teacher.prefix, questions)

    def _draw(self, stage: Stage, step: int, rng: random.Random) -> tuple[Any, list[Lesson]]:
        """Features [B, T, g, g, C] and questions of one step."""
        count = stage.frames(step / stage.steps)
        fitting = [video for video in self._videos if len(video.features) >= count]
        shown = rng.sample(fitting, self._budget.batch_videos)
        lots = random.Random(f"{self._seed} {stage.name} {step} ticks")  # so that `rng` is the same for all
        features = torch.stack([video.features[pick(video, stage.showing, count, lots)] for video in shown])
        asker = Asker(f"{self._seed} {stage.name} {step}")
        lessons = [
            self._teacher.lesson(asker, video.scene, kind)
            for video in shown
            for kind in self._draw_kinds(stage, rng)
        ]
        return features.to(self.model.device), lessons

    def _draw_kinds(self, stage: Stage, rng: random.Random) -> list[str]:
        """Kinds of the questions about one video."""
        if not stage.by_need:
            return rng.sample(self._kinds, self._budget.questions)
        needs = [max(self._letter_loss[kind], _LEAST_NEED) for kind in self._kinds]
        return rng.choices(self._kinds, needs, k=self._budget.questions)

    def _remember(self, lessons: Sequence[Lesson], letter_losses: torch.Tensor) -> None:
        """Take the letter losses [Q] of one step into the running means."""
        seen: dict[str, list[float]] = {}
        for lesson, value in zip(lessons, letter_losses.tolist(), strict=True):
            seen.setdefault(lesson.kind, []).append(value)
        for kind, values in seen.items():
            mean = sum(values) / len(values)
            self._letter_loss[kind] += _FORGETTING * (mean - self._letter_loss[kind])

    def _set_rate(self, step: int, steps: int) -> None:
        share = min(1.0, (step + 1) / _WARM_UP_STEPS, (steps - step) / (_DECAY_SHARE * steps) + _LOWEST)
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self._budget.learning_rate * share

    def _keep(self, store: Store, name: str, step: int) -> None:
        tensors = {"step": torch.tensor(step), **prefixed("model", self.model.state_dict())}
        tensors |= prefixed("heads", self.heads.state_dict())
        means = {kind: torch.tensor(loss, dtype=torch.float64) for kind, loss in self._letter_loss.items()}
        tensors |= prefixed("letter_loss", means)
        tensors["last_losses"] = torch.tensor(list(self.last_losses), dtype=torch.float64)
        for number, optimizer in enumerate(self._optimizers):
            tensors |= prefixed(f"optimizer{number}", optimizer_tensors(optimizer))
        store.save_unfinished(name, tensors)

    def _resume(self, store: Store, name: str) -> int:
        """Steps that were done already."""
        tensors = store.unfinished(name)
        if tensors is None:
            return 0
        self.model.load_state_dict(under("model", tensors))
        self.heads.load_state_dict(under("heads", tensors))
        self._letter_loss = {kind: float(loss) for kind, loss in under("letter_loss", tensors).items()}
        self.last_losses.extend(tensors["last_losses"].tolist() if "last_losses" in tensors else ())
        for number, optimizer in enumerate(self._optimizers):
            restore_optimizer(optimizer, under(f"optimizer{number}", tensors))
        return int(tensors["step"])


def pick(video: Video, showing: Showing, count: int, rng: random.Random) -> list[int]:
    """Numbers of the ticks that are shown, in order."""
    total = len(video.features)
    if showing == "sixteen":
        # What the published rule makes of 16 frames out of `total` candidates.
        return [round((index + 1) * total / FAST_FRAMES - 1) for index in range(FAST_FRAMES)]
    if count >= total:
        return list(range(total))
    kept = {video.scene.disc_tick, video.scene.bars_tick, total - 1}
    others = [tick for tick in range(total) if tick not in kept]
    return sorted(kept | set(rng.sample(others, count - len(kept))))


@torch.no_grad()
def examine(
    trainer: Trainer, videos: Sequence[Video], teacher: Teacher, showing: Showing, count: int
) -> dict[str, float]:
    """Percent of right letters a kind, on videos of at least `count` frames that were not trained on."""
    rng, asker = random.Random("examination"), Asker("examination")
    right: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    fitting = [video for video in videos if len(video.features) >= count]
    for start in range(0, len(fitting), _VIDEOS_EXAMINED):
        shown = fitting[start : start + _VIDEOS_EXAMINED]
        features = torch.stack([video.features[pick(video, showing, count, rng)] for video in shown])
        lessons = [teacher.lesson(asker, video.scene, kind) for video in shown for kind in KINDS]
        questions = pack(lessons, trainer.model.device)
        output = forward(
            trainer.model, trainer.heads, features.to(trainer.model.device), teacher.prefix, questions
        )
        hits = (output.letters.argmax(-1) == questions.letters).tolist()
        for lesson, hit in zip(lessons, hits, strict=True):
            right[lesson.kind].append(hit)
    return {kind: round(100 * sum(hits) / len(hits), 1) for kind, hits in right.items() if hits}
