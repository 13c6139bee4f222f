"""The shipped models, and a few training videos seen through their tower."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch

from sf_eval.core.cards import load_card
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.training.footage import Video, draw_scenes, see, watch
from sf_eval.training.lessons import Teacher

Load = Callable[[str], LoadedModel]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """The models are too small for two, and sums are the same on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def load() -> Load:
    """A fresh shipped model in float32."""
    return lambda name: load_model(load_card(name), dtype=torch.float32)


@pytest.fixture(scope="session")
def footage(load: Load) -> list[Video]:
    """60 videos of 16 to 40 frames."""
    loaded = load("mini")
    scenes = draw_scenes("tests", 60, (8, 12, 16, 20))
    tower = loaded.model.model.vision_tower
    return [Video(scene, see(tower, watch(scene, loaded.processor.image_size))) for scene in scenes]


@pytest.fixture(scope="session")
def teacher(load: Load) -> Teacher:
    return Teacher(load("mini").processor)
