"""Videos in which nothing but its place among the frames says when a brief event was.

They are the mini editions' videos of 64 s, with what tells the time taken away: no arrow crosses them, and
their backgrounds are the same forwards and backwards (A, B, B, A), each as likely early as late under an
event. Events stand on odd ticks, and so between the frames that the fast path looks at.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from sf_eval.editions.questions import SceneMaker
from sf_eval.editions.scene import DARK, Scene
from sf_eval.training.footage import Video, draw_scenes, see, watch, watch_all
from sf_eval.training.recipe import IMAGE_SIZE
from sf_eval.training.store import Store
from sf_eval.training.training import Watcher

DURATION_S = 64
"""128 ticks: as many frames as the mini model is shown."""
EARLY = range(3, 42, 2)
LATE = range(87, 126, 2)
"""The first and last third: 15 ticks on background A and 5 on B in either."""
_APART = 8  # ticks between the two events at least: what one fast token stands for
_FILMS = "films"
_FPS = 2  # one frame a tick
_SIZES = ((128, 96), (160, 90), (96, 128))


def draw_when_scenes(seed: str, count: int) -> list[Scene]:
    """`count` scenes in which a disc and bars flash, each early or late, in either order."""
    maker = SceneMaker(seed, "train")
    rng = maker.rng
    scenes = []
    for _ in range(count):
        scene = maker.scene(DURATION_S, _FPS, size=rng.choice(_SIZES))
        behind, other = rng.sample(list(DARK), 2)
        while True:
            disc_tick, bars_tick = (rng.choice(rng.choice((EARLY, LATE))) for _ in range(2))
            if abs(disc_tick - bars_tick) >= _APART:
                break
        scenes.append(
            replace(
                scene, backgrounds=(behind, other, other, behind), mover="", disc_tick=disc_tick,
                bars_tick=bars_tick,
            )
        )  # fmt: skip
    return scenes


def moved(video: Video, rng: random.Random) -> Video:
    """The same frames in another order: each event takes the place of a frame with its background.

    A tower sees single frames, so that this is the video in which the events come then. The same frames are
    seen early and late: nothing in them can say when it was.
    """
    scene, features = video.scene, video.features.clone()
    while True:
        disc_tick, bars_tick = (_elsewhere(scene, tick, rng) for tick in (scene.disc_tick, scene.bars_tick))
        if abs(disc_tick - bars_tick) >= _APART:
            break
    order = list(range(len(features)))
    for old, new in ((scene.disc_tick, disc_tick), (scene.bars_tick, bars_tick)):
        at = order.index(old)
        order[at], order[new] = order[new], order[at]
    return Video(replace(scene, disc_tick=disc_tick, bars_tick=bars_tick), features[order])


def _elsewhere(scene: Scene, tick: int, rng: random.Random) -> int:
    """An early or late tick, either as likely, with the background of `tick`."""
    background = scene.background_at(scene.ticks[tick])
    third = rng.choice((EARLY, LATE))
    return rng.choice([at for at in third if scene.background_at(scene.ticks[at]) == background])


def is_late(tick: int) -> bool:
    """Whether an event on this tick is in the last third, not in the first."""
    return tick in LATE


def films(scenes: Sequence[Scene], tower: nn.Module, store: Store, watcher: Watcher) -> list[Video]:
    """The scenes as `tower` sees them; rendered once and kept in the store."""
    if not store.has(_FILMS):
        watcher.stage(f"Rendering and decoding {len(scenes)} videos")
        seen = []
        for shown in watch_all(scenes, partial(watch, image_size=IMAGE_SIZE), torch.get_num_threads()):
            seen.append(see(tower, shown))
            watcher.step("videos", len(seen), len(scenes))
        store.save(_FILMS, {"features": torch.cat(seen)})
    features = store.load(_FILMS)["features"].split([len(scene.ticks) for scene in scenes])
    return [Video(scene, item) for scene, item in zip(scenes, features, strict=True)]


def ordinary_scenes(seed: str, count: int) -> list[Scene]:
    """Scenes of the mini training's own kind, as long."""
    return draw_scenes(seed, count, (DURATION_S,))
