"""The tiny families' models with a slow path of which gates are open, one a session."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

sys.path.insert(0, str(Path(__file__).parent))  # for the helper module beside this file

from tiny_families import FAMILIES, STRIDES, open_gates, tiny_model

from sf_eval.model import attach_slow_path
from sf_eval.model.attach import slow_fast_inputs


@pytest.fixture(scope="session", params=FAMILIES)
def family(request) -> str:
    return request.param


@pytest.fixture(scope="session")
def _opened() -> Callable[[str], PreTrainedModel]:
    models: dict[str, PreTrainedModel] = {}

    def of(name: str) -> PreTrainedModel:
        if name not in models:
            models[name] = attach_slow_path(tiny_model(name), **STRIDES)
            open_gates(models[name])
        return models[name]

    return of


@pytest.fixture
def opened(_opened, family) -> PreTrainedModel:
    """A model of the family, hybrid layers 0 and 2 of 3, gates open. Tests do not change it."""
    return _opened(family)


@pytest.fixture
def qwen(_opened) -> PreTrainedModel:
    """A copy of the opened Qwen2.5-VL, free to be changed."""
    return copy.deepcopy(_opened("qwen2.5-vl"))


@pytest.fixture
def batch(qwen) -> dict[str, Any]:
    """Inputs of `qwen`: two videos, and a row of text between."""
    return slow_fast_inputs(qwen, FAMILIES["qwen2.5-vl"].batch())


@pytest.fixture
def answers() -> Callable[..., torch.Tensor]:
    """Greedy answers of six tokens."""

    def generate(model: PreTrainedModel, inputs: dict[str, Any], **options: Any) -> torch.Tensor:
        return model.generate(**inputs, **{"max_new_tokens": 6, "do_sample": False, **options})

    return generate
