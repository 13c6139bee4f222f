"""Until its gates open, an attached model is the plain model on the same fast tokens, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
from tiny_families import FAMILIES, STRIDES, tiny_model

from sf_eval.model import attach_slow_path, detach_slow_path
from sf_eval.model.attach import slow_fast_inputs


@pytest.mark.parametrize(
    ("dtype", "attention"),
    [
        (torch.float32, "sdpa"),
        (torch.float32, "eager"),
        (torch.bfloat16, "sdpa"),
        (torch.float16, "sdpa"),
        (torch.float16, "eager"),
    ],
)
def test_attaching_changes_nothing_at_first(family, dtype, attention, answers):
    """Two videos and a row of text in one padded batch: prefill and generation."""
    model = tiny_model(family, dtype, attention)
    pixels = FAMILIES[family].batch()
    attach_slow_path(model, **STRIDES)
    inputs = slow_fast_inputs(model, pixels)
    plain = {key: value for key, value in inputs.items() if key != "slow"}
    logits, answer = model(**inputs).logits, answers(model, inputs)
    detach_slow_path(model)
    assert torch.equal(model(**copy.copy(plain)).logits, logits)
    assert torch.equal(answers(model, plain), answer)


def test_without_slow_tokens_it_is_the_plain_model(family, opened):
    pixels = FAMILIES[family].batch()
    assert torch.equal(opened(**copy.copy(pixels)).logits, tiny_model(family)(**pixels).logits)


def test_detaching_leaves_the_class_and_the_weights_as_they_were():
    model = tiny_model("internvl")
    cls, names = type(model), set(model.state_dict())
    attach_slow_path(model, **STRIDES)
    assert type(model) is not cls
    assert isinstance(model, cls)
    detach_slow_path(model)
    assert type(model) is cls
    assert set(model.state_dict()) == names


def test_open_gates_change_the_rows_with_a_video_alone(family, opened):
    inputs = slow_fast_inputs(opened, FAMILIES[family].batch())
    with_slow = opened(**inputs).logits
    inputs.pop("slow")
    change = (with_slow - opened(**inputs).logits).abs().amax((1, 2))
    assert change[1] == 0
    assert min(change[0], change[2]) > 0.1
