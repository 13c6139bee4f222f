"""Training a slow path: what is frozen stays, what is interrupted goes on to the same end."""

from __future__ import annotations

import pytest
import torch
from tiny_families import FAMILIES, STRIDES, tiny_model

from sf_eval.core.errors import OutputError
from sf_eval.model import attach_slow_path, load_slow_path
from sf_eval.model.attach import slow_fast_inputs
from sf_eval.training.attached.examining import Examiner, examine
from sf_eval.training.attached.trainer import Plan, train

PLAN = Plan(steps=4, learning_rate=1e-2, warm_up_steps=1, save_every=2)


def draw(step):
    """One question, another one each step."""
    batch = FAMILIES["internvl"].batch()
    batch["labels"] = torch.where(batch["attention_mask"].bool(), (batch["input_ids"] + step) % 100, -100)
    return [batch]


def trained(plan, folder, say=lambda *_: None):
    model = attach_slow_path(tiny_model("internvl"), **STRIDES)
    with torch.enable_grad():
        train(model, draw, plan, folder, say)
    return model


def test_an_interrupted_training_ends_in_the_same_weights(tmp_path):
    def stop(step, _loss):
        if step == 2:
            raise KeyboardInterrupt

    whole = trained(PLAN, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(PLAN, tmp_path / "cut", stop)
    steps = []
    again = trained(PLAN, tmp_path / "cut", lambda step, _: steps.append(step))
    assert steps == [2, 3]
    wanted = whole.state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in again.state_dict().items())


def test_the_base_stays_as_it_was_and_the_slow_path_does_not(tmp_path):
    model = trained(PLAN, tmp_path)
    base = tiny_model("internvl").state_dict()
    state = model.state_dict()
    assert all(torch.equal(state[name], value) for name, value in base.items())
    assert state["model.language_model.layers.0.self_attn.slow_gate.warm_up"].abs() > 1e-3
    again = load_slow_path(tiny_model("internvl"), tmp_path)
    assert all(torch.equal(value, state[name]) for name, value in again.state_dict().items())


def test_a_language_model_may_learn_too(tmp_path):
    model = trained(Plan(steps=2, llm_learning_rate=1e-3, warm_up_steps=1), tmp_path)
    base = tiny_model("internvl").state_dict()
    moved = {
        name for name, value in model.state_dict().items() if name in base and not value.equal(base[name])
    }
    assert any("language_model.layers.1" in name for name in moved)
    assert not any("vision_tower" in name for name in moved)
    assert (tmp_path / "config.json").exists()


def test_an_examination_counts_answers_that_are_right_in_every_token_and_leaves_the_training_alone(tmp_path):
    model = attach_slow_path(tiny_model("internvl"), **STRIDES)
    (asked,) = draw(0)
    with torch.no_grad():
        inputs = slow_fast_inputs(model, {name: value for name, value in asked.items() if name != "labels"})
        logits = model.eval()(**inputs).logits
    says = logits[:, -2].argmax(-1)
    right, wrong = (torch.full(inputs["input_ids"].shape, -100) for _ in range(2))
    right[:, -1], wrong[:, -1] = says, (says + 1) % 100
    model.train()
    found = examine(model, [{**inputs, "labels": right}, {**inputs, "labels": wrong}], 7)
    assert (found.step, found.questions, found.right) == (7, 2, 0.5)
    worth = [-logits[:, -2].log_softmax(-1).gather(-1, labels[:, -1:]).mean() for labels in (right, wrong)]
    assert found.loss == pytest.approx(float(sum(worth)) / 2, rel=1e-4)
    assert model.training


def test_a_resumed_training_is_not_examined_again(tmp_path):
    asked = []

    def trained_until(last):
        def examined(done):
            asked.append(done)
            if done == last:
                raise KeyboardInterrupt

        model = attach_slow_path(tiny_model("internvl"), **STRIDES)
        examiner = Examiner(
            model,
            lambda: draw(0),
            tmp_path / "work",
            steps=4,
            every=1,
            say=lambda found: examined(found.step),
        )
        with torch.enable_grad():
            train(model, draw, PLAN, tmp_path, examine=examiner)
        return examiner.found

    with pytest.raises(KeyboardInterrupt):
        trained_until(3)
    found = trained_until(None)
    assert asked == [0, 1, 2, 3, 4]
    assert [item.step for item in found] == [0, 1, 2, 3, 4]


def test_a_folder_of_another_training_is_refused(tmp_path):
    trained(Plan(steps=1), tmp_path)
    with pytest.raises(OutputError, match="another plan"):
        trained(Plan(steps=2), tmp_path)
