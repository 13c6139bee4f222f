"""Small real models for the tests of this room."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sf_eval.core.paths import PACKAGE
from sf_eval.model import SlowFastForConditionalGeneration

CASES = PACKAGE / "assets" / "recorded" / "model"
MINI = PACKAGE / "assets" / "mini"

Record = dict[str, torch.Tensor]


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def load() -> Callable[..., SlowFastForConditionalGeneration]:
    """A recorded case's model in float32."""

    def load_case(name: str, **options) -> SlowFastForConditionalGeneration:
        return SlowFastForConditionalGeneration.from_pretrained(CASES / name, dtype=torch.float32, **options)

    return load_case


@pytest.fixture
def model(load) -> SlowFastForConditionalGeneration:
    """Slow-fast, s1t4, at most 2 fast frames, 128-pixel frames, 200 tokens."""
    return load("s1t4_f8")


@pytest.fixture(scope="session")
def record() -> Callable[[str], Record]:
    return lambda name: load_file(CASES / name / "record.safetensors")


@pytest.fixture
def frames() -> Callable[..., torch.Tensor]:
    """Seeded normalised frames [count, 3, 128, 128]."""

    def make(count: int, seed: int = 0) -> torch.Tensor:
        return torch.randn(count, 3, 128, 128, generator=torch.Generator().manual_seed(seed))

    return make


@pytest.fixture
def mini_directory() -> Path:
    return MINI
