"""An attached slow path learns what pooling hides, with the language model frozen."""

from __future__ import annotations

import json

import torch
from click.testing import CliRunner

from sf_eval.cli.attach import command
from sf_eval.core.paths import PACKAGE
from sf_eval.training.attached.report import ToyReport, with_table
from sf_eval.training.attached.toy_videos import CELLS, FRAMES, WIDTH, WINDOW, draw

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
    assert "other numbers of steps" in str(refused.exception)


def test_the_results_kept_here_are_what_the_page_shows():
    """Learned with the language model frozen: what pooling hides, and when it was only with own rotation."""
    report = ToyReport.model_validate_json((ROOT / "results/attach/attached_toy.json").read_bytes())
    page = (ROOT / "docs/attaching.md").read_text(encoding="utf-8")
    assert with_table(page, report) == page
    schema = json.loads((ROOT / "docs/schemas/attached_toy.schema.json").read_text())
    assert schema == json.loads(json.dumps(ToyReport.model_json_schema()))
