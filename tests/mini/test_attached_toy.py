"""The toy: pooling leaves nothing of a needle, and the command keeps what it trained."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

from sf_eval.cli.attach import command
from sf_eval.core.marked import filled
from sf_eval.core.paths import PACKAGE
from sf_eval.training.attached.page import PAGE, blocks
from sf_eval.training.attached.report import ToyReport
from sf_eval.training.attached.toy import Budget, examine, learn_attached, learn_plain
from sf_eval.training.attached.toy_videos import CELLS, CHANCE, FRAMES, WIDTH, WINDOW, draw

ROOT = PACKAGE.parent


def test_a_needle_leaves_nothing_in_the_pooled_tokens():
    """Fast tokens of videos that differ in their needles alone differ by noise alone."""
    videos = draw(64, "any")
    pooled = videos.tokens.view(64, FRAMES // WINDOW, WINDOW * CELLS, WIDTH).mean(2)
    background = pooled.mean(1, keepdim=True)
    assert (pooled - background).abs().max() < 0.1
    assert (videos.tokens - background[:, :, None, None]).abs().amax() > 1


def test_videos_are_drawn_by_their_seed():
    assert torch.equal(draw(8, "one").tokens, draw(8, "one").tokens)
    assert not torch.equal(draw(8, "one").tokens, draw(8, "two").tokens)


@pytest.mark.thorough
def test_a_frozen_model_learns_what_pooling_loses_and_when_it_was_by_rotated_keys_alone():
    """The toy in small: `sf-eval attach toy` is the whole, results/attach what came of it."""
    budget = Budget(base_steps=150, steps=60, batch_videos=8, learning_rate=5e-3)
    base, _ = learn_plain(0, budget)
    pooled = examine(base, pooled=True, seed=0, count=300)
    found = {
        rope: examine(learn_attached(base, rope, 0, budget)[0], pooled=True, seed=0, count=300)
        for rope in ("own", "published")
    }
    for accuracy in found.values():
        assert accuracy["needle"] > pooled["needle"] + 0.5, (pooled, found)
        assert accuracy["global"] > 0.95, found
    assert found["own"]["when"] > 0.9, found
    assert abs(found["published"]["when"] - CHANCE["when"]) < 0.12, found
    assert abs(pooled["needle"] - CHANCE["needle"]) < 0.1, pooled


def test_the_page_has_the_figures_of_the_record():
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert filled(page, blocks(ROOT), name=PAGE.name) == page, "run make readme"


@pytest.mark.thorough
def test_the_command_keeps_each_seed_and_does_not_train_it_again(tmp_path):
    arguments = ["toy", "--output", str(tmp_path), "--base-steps", "2", "--steps", "2", "--seeds"]
    first = CliRunner().invoke(command, [*arguments, "0"], catch_exceptions=False)
    assert first.exit_code == 0
    kept = json.loads((tmp_path / "attached_toy.json").read_text())["runs"][0]
    CliRunner().invoke(command, [*arguments, "0,1"], catch_exceptions=False)
    runs = json.loads((tmp_path / "attached_toy.json").read_text())["runs"]
    assert runs[0] == kept
    assert [run["seed"] for run in runs] == [0, 1]
    refused = CliRunner().invoke(command, [*arguments, "0", "--steps", "3"])
    assert "another budget" in str(refused.exception)


def test_the_report_is_described():
    schema = json.loads((ROOT / "docs/schemas/attached_toy.schema.json").read_text())
    assert schema == json.loads(json.dumps(ToyReport.model_json_schema()))
