"""From a self-attention mini model to the tiny model: videos, tower, decoder."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from sf_eval.core import files
from sf_eval.core.errors import DataError, OutputError
from sf_eval.core.provenance import git_commit
from sf_eval.editions.scene import Scene
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.training import recipe as mini_recipe
from sf_eval.training.decoder import AuxiliaryHeads
from sf_eval.training.footage import Video, draw_scenes, watch_all, watch_whole
from sf_eval.training.lessons import Teacher
from sf_eval.training.mini_qwen import checkpoint, recipe
from sf_eval.training.mini_qwen.stages import QwenTrainer, examine
from sf_eval.training.mini_qwen.tower import (
    Elder,
    Patches,
    patches_of,
    pick_pairs,
    tokens_of,
    train_tower,
    unexplained,
)
from sf_eval.training.recipe import Budget
from sf_eval.training.stages import Stage
from sf_eval.training.store import Store, prefixed, under
from sf_eval.training.training import Watcher

ORIGIN, CARD = "origin.json", "sf_eval_card.yaml"
_VERSIONS = ("torch", "transformers", "tokenizers", "av", "numpy")
_TOWER, _STAGE = "tower", "video"
_OF_TOWER = ("features.safetensors", "tower.json", "seconds.json", "tower.safetensors")
_OF_DECODER = ("video_steps", "batch_videos", "questions", "learning_rate", "auxiliary_weight")

Scores = dict[str, dict[str, float]]


@dataclass(frozen=True)
class _Work:
    store: Store
    budget: Budget
    seed: int
    pooling: SlowPathSettings
    watcher: Watcher
    processor: Any
    model: Any

    def lap(self, name: str, since: float) -> None:
        path = self.store.folder / "seconds.json"
        spent = self.store.read_log("seconds") if path.is_file() else {}
        self.store.log("seconds", {**spent, name: round(time.perf_counter() - since, 1)})


def train(
    output: Path,
    budget: Budget,
    *,
    seed: int,
    command: Sequence[str],
    watcher: Watcher,
    temporal_stride: int = recipe.POOLING.temporal_stride,
    tower_of: Path | None = None,
) -> tuple[Path, Scores]:
    """Train and write a checkpoint into `output/mini-qwen`; a stage that is finished is not done again.

    Args:
        temporal_stride: pairs of frames that are averaged into one in what the decoder learns from.
        tower_of: output of another training by the same seed and budget, whose videos and tower are taken.

    Returns:
        The checkpoint's directory, and percent right on held-out videos, a kind of question, before and after
        the decoder was trained.

    Raises:
        OutputError: `output` holds another training, or cannot be written.
        DataError: `tower_of` has no finished tower of the same seed and budget.
    """
    store, folder = Store(output / "work"), output / "mini-qwen"
    if folder.exists() and not store.has(_STAGE):
        raise OutputError(
            f"{folder} is there already and this training did not make it.", hint="Name a new --output."
        )
    settings = {"model": "mini-qwen", "recipe": recipe.VERSION, "budget": asdict(budget), "seed": seed}
    pooling = replace(recipe.POOLING, temporal_stride=temporal_stride)
    if pooling != recipe.POOLING:  # trainings from before there was a choice go on
        settings["temporal_stride"] = temporal_stride
    commits = store.open(settings, git_commit())
    if tower_of is not None and not store.has(_TOWER):
        _adopt_tower(store, tower_of / "work", settings)
    processor = checkpoint.new_processor()
    work = _Work(store, budget, seed, pooling, watcher, processor, checkpoint.new_model(processor, seed))
    videos = _footage(work)
    scores = _decoder(work, videos)
    if not folder.exists():
        _write(work, folder, commits, command, scores)
    return folder, scores


def _adopt_tower(store: Store, other: Path, settings: dict[str, Any]) -> None:
    """Take tower and features of another training, which are what this one would make.

    Raises:
        DataError: it has none, or those of another seed or budget.
    """
    try:
        found = json.loads((other / "training.json").read_text(encoding="utf-8"))
        parts = {name: (other / name).read_bytes() for name in _OF_TOWER}
    except (OSError, ValueError) as error:
        raise DataError(
            f"{other.parent} has no finished tower of sf-eval attach base ({error}).",
            hint="Name the --output of a training whose tower is done.",
        ) from error
    if differing := [name for name, value in _before_decoder(settings).items()
                     if _before_decoder(found).get(name) != value]:  # fmt: skip
        raise DataError(
            f"the tower in {other.parent} is of another training (other {', '.join(differing)}).",
            hint="Give the same --seed and --budget.",
        )
    for name, content in parts.items():  # the tower, by which a stage is known to be done, comes last
        files.write_bytes(store.folder / name, content)


def _before_decoder(settings: dict[str, Any]) -> dict[str, Any]:
    """What videos and tower come of."""
    budget = {name: value for name, value in settings["budget"].items() if name not in _OF_DECODER}
    plain: dict[str, Any] = json.loads(
        json.dumps({"recipe": settings["recipe"], "seed": settings["seed"], "budget": budget})
    )
    return plain


def _footage(work: _Work) -> list[Video]:
    """Training videos, then held-out ones, as tokens of the trained tower (which the model then has)."""
    budget, store, visual = work.budget, work.store, work.model.model.visual
    scenes = draw_scenes(f"mini-qwen training {work.seed}", budget.videos, budget.durations_s)
    scenes += draw_scenes(f"mini-qwen held out {work.seed}", budget.held_out, budget.durations_s)
    if not store.has(_TOWER):
        since = time.perf_counter()
        shown = _watched(work, scenes)
        work.watcher.stage("Training the vision tower on pairs of frames")
        store.log("tower", {"unexplained": _train_tower(work, scenes, shown)})
        with torch.no_grad():
            tokens = {
                str(number): tokens_of(visual, Patches(item.rows.float(), item.grid)).unflatten(1, item.cells)
                for number, (item, _) in enumerate(shown)
            }
        store.save("features", {name: item.half() for name, item in tokens.items()})
        work.lap("videos and tower", since)
        store.finish(_TOWER, visual.state_dict())
    visual.load_state_dict(store.load(_TOWER))
    visual.requires_grad_(False)
    features = store.load("features")
    return [Video(scene, features[str(number)]) for number, scene in enumerate(scenes)]


def _watched(work: _Work, scenes: Sequence[Scene]) -> list[tuple[Patches, torch.Tensor]]:
    """Every scene as patches in float16, and the tokens wanted of its pairs."""
    work.watcher.stage(f"Rendering and decoding {len(scenes)} videos")
    elder = Elder()
    shown: list[tuple[Patches, torch.Tensor]] = []
    for pixels in watch_all(scenes, watch_whole, torch.get_num_threads()):
        item = patches_of(work.processor, pixels)
        shown.append((Patches(item.rows.half(), item.grid), elder.tokens(pixels)))
        work.watcher.step("videos", len(shown), len(scenes))
    return shown


def _train_tower(
    work: _Work, scenes: Sequence[Scene], shown: Sequence[tuple[Patches, torch.Tensor]]
) -> float:
    """Train the tower; the share that it misses of what is wanted of the held-out videos' pairs."""
    budget, lots = work.budget, np.random.default_rng(work.seed)
    picked = [pick_pairs(scene, budget.tower_frames, lots) for scene in scenes]

    def gathered(numbers: range) -> list[tuple[Patches, torch.Tensor]]:
        examples = []
        for grid in sorted({shown[number][0].grid for number in numbers}):
            mine = [number for number in numbers if shown[number][0].grid == grid]
            rows = torch.cat([shown[number][0].rows[picked[number]] for number in mine])
            wanted = torch.cat([shown[number][1][picked[number]] for number in mine])
            examples.append((Patches(rows, grid), wanted))
        return examples

    train_tower(
        work.model.model.visual,
        gathered(range(budget.videos)),
        epochs=budget.tower_epochs,
        learning_rate=budget.tower_learning_rate,
        seed=work.seed,
        progress=lambda done, total, loss: work.watcher.step("tower", done, total, loss),
    )
    return unexplained(work.model.model.visual, gathered(range(budget.videos, len(scenes))))


def _decoder(work: _Work, videos: Sequence[Video]) -> Scores:
    """The decoder's stage; percent right on held-out videos, before and after it."""
    budget, store, name = work.budget, work.store, _STAGE
    teacher = Teacher(checkpoint.QwenPrompter(work.processor))
    torch.manual_seed(work.seed)
    heads = AuxiliaryHeads(recipe.WIDTH)
    if store.has(name):
        work.model.load_state_dict(under("model", store.load(name)))
        found: Scores = store.read_log(name)
        return found
    since = time.perf_counter()
    work.watcher.stage("Video stage: pooled tokens")
    held_out, longest = videos[budget.videos :], recipe.longest(budget)
    scores = {"as begun": examine(work.model, heads, held_out, teacher, longest, work.pooling)}
    trainer = QwenTrainer(
        work.model,
        heads,
        pooling=work.pooling,
        videos=videos[: budget.videos],
        teacher=teacher,
        budget=budget,
        seed=work.seed,
    )
    trainer.train(Stage(name, budget.video_steps, "all"), store, name, work.watcher.step)
    scores["trained"] = examine(work.model, heads, held_out, teacher, longest, work.pooling)
    store.log(name, scores)
    work.lap(name, since)
    store.finish(name, prefixed("model", work.model.state_dict()))
    return scores


def _write(
    work: _Work, folder: Path, commits: tuple[str, ...], command: Sequence[str], scores: Scores
) -> None:
    origin = {
        "schema_version": 1, "model": "mini-qwen", "begun_from": recipe.BEGUN_FROM, "command": list(command),
        "commits": list(commits), "seed": work.seed, "budget": asdict(work.budget),
        "temporal_stride": work.pooling.temporal_stride,
        "threads": torch.get_num_threads(), "seconds": work.store.read_log("seconds"),
        "tower": work.store.read_log("tower"), "held_out": scores,
        "versions": {name: metadata.version(name) for name in _VERSIONS},
    }  # fmt: skip
    card = {
        "title": "mini-qwen, trained anew", "family": "qwen2_5_vl", "slow_path": "off",
        "num_frames": mini_recipe.WATCHED_FRAMES, "sampling": "published",
    }  # fmt: skip
    try:
        with files.replacing_folder(folder) as part:
            checkpoint.write(part, work.model, work.processor)
            files.write_text(part / CARD, yaml.safe_dump(card, sort_keys=False))
            files.write_json(part / ORIGIN, origin)
    except OSError as error:
        raise files.output_error(folder, error) from error
