"""From nothing to weights: videos, tokenizer, tower, the language stage, then each variant by itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.core.provenance import git_commit
from sf_eval.editions.scene import Scene
from sf_eval.model.checkpoint import config_from
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.model.vision import VisionTower
from sf_eval.training import recipe, release
from sf_eval.training.decoder import AuxiliaryHeads, adopt_slow_path, draw_weights
from sf_eval.training.footage import Pixels, Video, draw_scenes, see, watch, watch_all
from sf_eval.training.lessons import Teacher, training_prompts
from sf_eval.training.recipe import Budget, Variant
from sf_eval.training.stages import Stage, Trainer, examine
from sf_eval.training.store import Store, prefixed, under
from sf_eval.training.tokenizer import write_tokenizer
from sf_eval.training.tower import FrameCodes, frame_labels, frame_tokens, pick_frames, train_tower

_PROMPTS_TO_READ = 4000


class Watcher(Protocol):
    """Whoever shows what happens."""

    def stage(self, text: str) -> None: ...
    def step(self, what: str, done: int, total: int, loss: float | None = None) -> None: ...


@dataclass(frozen=True)
class Trained:
    """What a training left behind: one checkpoint directory a variant.

    Attributes:
        held_out: percent of right letters a kind of question, per variant.
        seconds: spent on finished stages, also by earlier processes.
    """

    folders: dict[str, Path]
    held_out: dict[str, dict[str, float]]
    seconds: float


@dataclass(frozen=True)
class Footage:
    """Videos through the trained tower."""

    train: list[Video]
    held_out: list[Video]


def train(
    output: Path,
    budget: Budget,
    *,
    seed: int,
    variants: Sequence[Variant],
    device: torch.device,
    command: Sequence[str],
    watcher: Watcher,
) -> Trained:
    """Train `variants` and write each into `output/<name>`; a stage that is finished is not done again.

    Args:
        command: what the weights' origin file says was run.

    Raises:
        OutputError: `output` holds another training, or cannot be written.
    """
    store = Store(output / "work")
    _refuse_others(output, store, variants)
    shapes = {variant.name: recipe.config(variant) for variant in recipe.VARIANTS}
    settings = {"recipe": recipe.VERSION, "budget": asdict(budget), "seed": seed, "configs": shapes}
    commits = store.open(settings, git_commit())
    work = _Work(store, budget, seed, device, watcher, _Clock(store))
    teacher = Teacher(_processor(work))
    footage = _footage(work)
    _language(work, teacher, footage)
    folders: dict[str, Path] = {}
    held_out: dict[str, dict[str, float]] = {}
    for variant in variants:
        scores = held_out[variant.name] = _variant(work, variant, teacher, footage)
        folder = folders[variant.name] = output / variant.name
        if folder.exists():
            continue  # written by an earlier command of this training, which its origin names
        origin = release.Origin(
            command=tuple(command), commits=commits, seed=seed, budget=budget, device=str(device),
            threads=torch.get_num_threads(), seconds=_only(work.clock.spent(), variant),
            tower=store.read_log("tower"), held_out=scores,
        )  # fmt: skip
        release.write(folder, variant, under("model", store.load(variant.name)), store.folder, origin)
    return Trained(folders, held_out, sum(work.clock.spent().values()))


class _Clock:
    """Seconds a stage took, also in processes that were killed, up to the last step that they kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._since = time.perf_counter()

    def spent(self) -> dict[str, float]:
        return (
            dict(self._store.read_log("seconds")) if (self._store.folder / "seconds.json").is_file() else {}
        )

    def start(self) -> None:
        self._since = time.perf_counter()

    def lap(self, name: str) -> None:
        """Count what went by since the start or the last lap."""
        now = time.perf_counter()
        spent = self.spent()
        spent[name] = round(spent.get(name, 0.0) + now - self._since, 1)
        self._since = now
        self._store.log("seconds", spent)


@dataclass(frozen=True)
class _Work:
    """What every stage works with."""

    store: Store
    budget: Budget
    seed: int
    device: torch.device
    watcher: Watcher
    clock: _Clock

    def trainer(
        self,
        model: SlowFastForConditionalGeneration,
        heads: AuxiliaryHeads,
        teacher: Teacher,
        footage: Footage,
    ) -> Trainer:
        return Trainer(
            model.to(self.device), heads.to(self.device), videos=footage.train, teacher=teacher,
            budget=self.budget, seed=self.seed,
        )  # fmt: skip

    def run(self, trainer: Trainer, stage: Stage, name: str) -> None:
        trainer.train(stage, self.store, name, self.watcher.step, kept=partial(self.clock.lap, name))


def _only(seconds: dict[str, float], variant: Variant) -> dict[str, float]:
    """The stages that led to `variant`."""
    return {
        name: spent
        for name, spent in seconds.items()
        if name in ("videos and tower", "language", variant.name)
    }


def _refuse_others(output: Path, store: Store, variants: Sequence[Variant]) -> None:
    """Leave alone what this training did not make.

    Raises:
        OutputError: a variant's folder is there although the training has not come so far.
    """
    for variant in variants:
        folder = output / variant.name
        if folder.exists() and not store.has(variant.name):
            raise OutputError(
                f"{folder} is there already and this training did not make it; it would be replaced.",
                hint="Name a new --output.",
            )


def _processor(work: _Work) -> SlowFastProcessor:
    folder = work.store.folder
    if not (folder / "tokenizer.json").is_file():
        work.watcher.stage("Training the tokenizer")
        seed = f"mini prompts {work.seed}"
        write_tokenizer(
            folder,
            training_prompts(seed, draw_scenes(seed, 64, (32,)), _PROMPTS_TO_READ),
            vocabulary=recipe.VOCABULARY,
            max_length=int(recipe.config(recipe.VARIANTS[0])["tokenizer_model_max_length"]),
        )
    files.write_json(folder / "config.json", recipe.config(recipe.VARIANTS[0]))
    return SlowFastProcessor.from_pretrained(folder)


def _footage(work: _Work) -> Footage:
    """Videos, and the tower that is trained on their frames and then shows them to the decoder."""
    budget, store = work.budget, work.store
    scenes = draw_scenes(f"mini training {work.seed}", budget.videos, budget.durations_s)
    scenes += draw_scenes(f"mini held out {work.seed}", budget.held_out, budget.durations_s)
    if not store.has("tower"):
        work.clock.start()
        work.watcher.stage(f"Rendering and decoding {len(scenes)} videos")
        pixels: list[Pixels] = []
        for shown in watch_all(scenes, partial(watch, image_size=recipe.IMAGE_SIZE), torch.get_num_threads()):
            pixels.append(shown)
            work.watcher.step("videos", len(pixels), len(scenes))
        work.watcher.stage("Training the vision tower on single frames")
        tower, accuracy = _tower(work, scenes, pixels)
        store.log("tower", accuracy)
        store.save("features", {"features": torch.cat([see(tower, shown) for shown in pixels])})
        work.clock.lap("videos and tower")
        store.finish("tower", tower.state_dict())
    features = store.load("features")["features"].split([len(scene.ticks) for scene in scenes])
    videos = [Video(scene, item) for scene, item in zip(scenes, features, strict=True)]
    return Footage(videos[: budget.videos], videos[budget.videos :])


def _tower(
    work: _Work, scenes: Sequence[Scene], pixels: Sequence[Pixels]
) -> tuple[VisionTower, dict[str, float]]:
    """The trained tower, and percent right a fact on frames of the videos that it did not learn from."""
    budget, seed = work.budget, work.seed
    lots = np.random.default_rng(seed)
    ticks = [pick_frames(scene, budget.tower_frames, lots) for scene in scenes]
    frames = [shown[picked] for shown, picked in zip(pixels, ticks, strict=True)]
    labels = [
        [frame_labels(scene, scene.ticks[tick]) for tick in picked]
        for scene, picked in zip(scenes, ticks, strict=True)
    ]
    known, new = slice(budget.videos), slice(budget.videos, None)
    torch.manual_seed(seed)
    tower = VisionTower(config_from(recipe.config(recipe.VARIANTS[0]), "the mini model").vision_config)
    codes = FrameCodes(tower.vision_tower.num_features, seed)
    train_tower(
        tower.to(work.device), np.concatenate(frames[known]), codes.tokens(list(chain(*labels[known]))),
        epochs=budget.tower_epochs, learning_rate=budget.tower_learning_rate, seed=seed,
        progress=lambda done, total, loss: work.watcher.step("tower", done, total, loss),
    )  # fmt: skip
    with torch.inference_mode():
        tokens = torch.cat([frame_tokens(tower, shown).cpu() for shown in frames[new]])
    return tower, codes.accuracy(tokens, list(chain(*labels[new])))


def _language(work: _Work, teacher: Teacher, footage: Footage) -> None:
    """The language stage, shared: questions are answered from the 16 frames in the language model."""
    if work.store.has("language"):
        return
    work.clock.start()
    work.watcher.stage("Language stage: 16 frames, no slow path")
    torch.manual_seed(work.seed)
    model = SlowFastForConditionalGeneration(config_from(recipe.config(recipe.VARIANTS[0]), "the mini model"))
    draw_weights(model)
    model.model.vision_tower.load_state_dict(work.store.load("tower"))
    model.model.vision_tower.requires_grad_(False)
    model.config.slow_path = "off"
    heads = AuxiliaryHeads(model.config.hidden_size)
    trainer = work.trainer(model, heads, teacher, footage)
    work.run(trainer, Stage("language", work.budget.language_steps, "eventful", by_need=True), "language")
    work.store.log("language", examine(trainer, footage.held_out, teacher, "eventful", recipe.FAST_FRAMES))
    work.clock.lap("language")
    made = {**prefixed("model", model.state_dict()), **prefixed("heads", heads.state_dict())}
    work.store.finish("language", made)


def _variant(work: _Work, variant: Variant, teacher: Teacher, footage: Footage) -> dict[str, float]:
    """The video stage: the variant learns on what it will be shown. Returns percent right a kind."""
    if work.store.has(variant.name):
        scores: dict[str, float] = work.store.read_log(variant.name)
        return scores
    work.clock.start()
    work.watcher.stage(f"Video stage: {variant.name}")
    torch.manual_seed(work.seed)
    model = SlowFastForConditionalGeneration(config_from(recipe.config(variant), variant.name))
    learnt = work.store.load("language")
    model.load_state_dict(_without_absent(under("model", learnt), model))
    if variant.slow_path:
        adopt_slow_path(model)
    else:
        model.config.slow_path = "off"
    model.model.vision_tower.requires_grad_(False)
    heads = AuxiliaryHeads(model.config.hidden_size)
    heads.load_state_dict(under("heads", learnt))
    trainer = work.trainer(model, heads, teacher, footage)
    frames = partial(recipe.frames_shown, budget=work.budget)
    work.run(trainer, Stage("video", work.budget.video_steps, variant.showing, frames), variant.name)
    scores = examine(trainer, footage.held_out, teacher, variant.showing, work.budget.longest)
    work.store.log(variant.name, scores)
    work.clock.lap(variant.name)
    work.store.finish(variant.name, prefixed("model", model.state_dict()))
    return scores


def _without_absent(tensors: dict[str, torch.Tensor], model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Without the slow path's weights where `model` has none."""
    wanted = model.state_dict()
    return {name: tensor for name, tensor in tensors.items() if name in wanted}
