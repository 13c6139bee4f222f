"""The shipped mini model learns to say when, with its slow keys as published or turned, all else alike."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import torch

from sf_eval.core.paths import PACKAGE
from sf_eval.core.provenance import git_commit
from sf_eval.editions.questions import KINDS
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.scoring.intervals import Observation
from sf_eval.training.decoder import AuxiliaryHeads, forward
from sf_eval.training.footage import Video
from sf_eval.training.lessons import Lesson, Teacher
from sf_eval.training.packing import pack
from sf_eval.training.recipe import Budget as TrainerBudget
from sf_eval.training.stages import Stage, Trainer
from sf_eval.training.store import Store, prefixed, under
from sf_eval.training.training import Watcher
from sf_eval.training.when.questions import WHEN_ANSWERS, WHEN_KINDS, WhenAsker
from sf_eval.training.when.videos import draw_when_scenes, films, moved, ordinary_scenes

Rope = Literal["published", "own"]
ROPES: tuple[Rope, ...] = get_args(Rope)[::-1]
#: Raised with every change of what is trained or how: a training of another version is not continued.
VERSION = 1
MINI = PACKAGE / "assets" / "mini"
_OTHERS_EVERY = 4
_OTHER_QUESTIONS = 4
_AT_ONCE = 16  # videos examined


@dataclass(frozen=True)
class Budget:
    """How much is learned.

    Attributes:
        videos, others: training videos of the two kinds: those of `videos.py`, and the mini training's own.
        held_out, held_out_others: of either kind, never trained on.
        batch_videos: in a step; each is asked one question of each kind that asks when.
        batch_others: in every fourth step instead, four questions each.
    """

    steps: int = 600
    videos: int = 120
    others: int = 80
    held_out: int = 100
    held_out_others: int = 40
    batch_videos: int = 16
    batch_others: int = 4
    learning_rate: float = 2e-3

    def with_steps(self, steps: int | None) -> Budget:
        return self if steps is None else replace(self, steps=steps)


#: "small" shows that everything runs, in seconds; it learns nothing.
BUDGETS = {
    "full": Budget(),
    "small": Budget(
        steps=4, videos=6, others=4, held_out=4, held_out_others=2, batch_videos=2, batch_others=1
    ),
}


@dataclass(frozen=True)
class Footage:
    """What is trained on, and what is examined with."""

    train: list[Video]
    others: list[Video]
    held_out: list[Video]
    held_out_others: list[Video]


def load_mini(rope: Rope) -> SlowFastForConditionalGeneration:
    """The shipped model in float32, its tower frozen."""
    model: SlowFastForConditionalGeneration = SlowFastForConditionalGeneration.from_pretrained(
        MINI, dtype=torch.float32, slow_rope=rope
    )
    model.model.vision_tower.requires_grad_(False)
    return model


def settings(budget: Budget) -> dict[str, Any]:
    """All that determines what a folder's films and half-done trainings are."""
    return {"when": VERSION, "budget": asdict(budget)}


def film(budget: Budget, store: Store, watcher: Watcher) -> Footage:
    """All videos through the shipped tower; rendered once, for all seeds and models."""
    tower = load_mini("published").model.vision_tower
    sets = {
        "train": draw_when_scenes("mini when", budget.videos),
        "others": ordinary_scenes("mini when others", budget.others),
        "held_out": draw_when_scenes("mini when held out", budget.held_out),
        "held_out_others": ordinary_scenes("mini when others held out", budget.held_out_others),
    }
    seen = iter(films(list(chain(*sets.values())), tower, store, watcher))
    return Footage(**{name: list(islice(seen, len(scenes))) for name, scenes in sets.items()})


class WhenTrainer(Trainer):
    """Shows whole videos: mostly those that ask when, now and then the mini training's own."""

    def __init__(
        self,
        model: Any,
        heads: AuxiliaryHeads,
        *,
        footage: Footage,
        teacher: Teacher,
        budget: Budget,
        seed: int,
    ) -> None:
        trainer_budget = replace(TrainerBudget("when"), learning_rate=budget.learning_rate)
        super().__init__(
            model, heads, videos=footage.train, teacher=teacher, budget=trainer_budget, seed=seed
        )
        self._footage, self._when_budget = footage, budget

    def _draw(self, stage: Stage, step: int, rng: random.Random) -> tuple[Any, list[Lesson]]:
        """Features [B, T, g, g, C] and questions of one step; the same for every model of a seed.

        A step is of one sort, since a batch is padded to its longest prompt: when something was, or, in every
        fourth, what the model knew before.
        """
        asker = WhenAsker(f"{self._seed} {stage.name} {step}")
        if step % _OTHERS_EVERY == _OTHERS_EVERY - 1:
            shown = rng.sample(self._footage.others, self._when_budget.batch_others)
            asked = [(video, kind) for video in shown for kind in rng.sample(tuple(KINDS), _OTHER_QUESTIONS)]
        else:
            drawn = rng.sample(self._footage.train, self._when_budget.batch_videos)
            shown = [moved(video, rng) for video in drawn]
            asked = [(video, kind) for video in shown for kind in WHEN_KINDS]
        lessons = [self._teacher.lesson(asker, video.scene, kind) for video, kind in asked]
        features = torch.stack([video.features for video in shown])
        return features.to(self.model.device), lessons


@dataclass(frozen=True)
class Learned:
    """A model that has learned, with its training heads.

    Attributes:
        loss: of training, mean of the last steps; None without training.
    """

    model: SlowFastForConditionalGeneration
    heads: AuxiliaryHeads
    loss: float | None = None


class Result(NamedTuple):
    """What was found of one model: right or not, question by question, a kind."""

    rope: Rope
    seed: int | None
    found: dict[str, list[Observation]]
    loss: float | None


def learn(rope: Rope, seed: int, budget: Budget, footage: Footage, store: Store, watcher: Watcher) -> Learned:
    """Train the shipped model on; the same seed asks every model the same about the same videos."""
    torch.manual_seed(seed)
    model, heads = load_mini(rope), new_heads()
    name = f"{rope}-{seed}"
    if store.has(name):
        learnt = store.load(name)
        model.load_state_dict(under("model", learnt))
        heads.load_state_dict(under("heads", learnt))
        return Learned(model, heads, store.read_log(name))

    trainer = WhenTrainer(model, heads, footage=footage, teacher=teacher(), budget=budget, seed=seed)
    trainer.train(Stage("when", budget.steps, "all"), store, name, watcher.step)
    last = trainer.last_losses
    loss = sum(last) / len(last) if last else None  # an earlier version's last save has none
    store.log(name, loss)
    store.finish(name, {**prefixed("model", model.state_dict()), **prefixed("heads", heads.state_dict())})
    return Learned(model, heads, loss)


def new_heads() -> AuxiliaryHeads:
    """Training's auxiliary heads, which know the new answers too."""
    return AuxiliaryHeads(SlowFastConfig.from_pretrained(MINI).hidden_size, len(WHEN_ANSWERS))


def teacher() -> Teacher:
    return Teacher(SlowFastProcessor.from_pretrained(MINI), WHEN_ANSWERS)


@torch.no_grad()
def examine(learned: Learned, footage: Footage) -> dict[str, list[Observation]]:
    """Right or not, question by question of each kind, about held-out videos in wordings that are new too.

    Old kinds are asked of the mini training's own kind of videos.
    """
    asker, teaches = WhenAsker("examination", "test"), teacher()
    found: dict[str, list[Observation]] = {kind: [] for kind in (*WHEN_KINDS, *KINDS)}
    learned.model.eval()
    for videos, kinds in ((footage.held_out, WHEN_KINDS), (footage.held_out_others, tuple(KINDS))):
        for at, shown in _batches(videos):
            lessons = [teaches.lesson(asker, video.scene, kind) for video in shown for kind in kinds]
            questions = pack(lessons, learned.model.device)
            features = torch.stack([video.features for video in shown]).to(learned.model.device)
            output = forward(learned.model, learned.heads, features, teaches.prefix, questions)
            hits = (output.letters.argmax(-1) == questions.letters).tolist()
            for number, (lesson, hit) in enumerate(zip(lessons, hits, strict=True)):
                found[lesson.kind].append((str(at + number // len(kinds)), float(hit)))
    return found


def _batches(videos: Sequence[Video]) -> Iterator[tuple[int, Sequence[Video]]]:
    for at in range(0, len(videos), _AT_ONCE):
        yield at, videos[at : at + _AT_ONCE]


def run(
    work: Path,
    budget: Budget,
    seeds: Sequence[int],
    watcher: Watcher,
    *,
    done: Callable[[Rope, int | None], bool],
) -> Iterator[Result]:
    """The shipped model as it is, then every training, with what held-out videos find of each.

    Args:
        work: films and half-done trainings are kept there, so that the same call goes on.
        done: what need not be done again.

    Raises:
        OutputError: `work` holds other trainings, or cannot be written.
    """
    untrained: list[int | None] = [None]
    wanted = [(rope, seed) for seed in (*untrained, *seeds) for rope in ROPES if not done(rope, seed)]
    if not wanted:  # and so no film is needed
        return
    store = Store(work)
    store.open(settings(budget), git_commit())
    footage = film(budget, store, watcher)
    for rope, seed in wanted:
        watcher.stage(f"Slow keys {rope}: {'as shipped' if seed is None else f'seed {seed}'}")
        learned = (
            Learned(load_mini(rope), new_heads())
            if seed is None
            else learn(rope, seed, budget, footage, store, watcher)
        )
        yield Result(rope, seed, examine(learned, footage), learned.loss)
