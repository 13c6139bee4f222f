"""The training: the slow path is learned, a killed training resumes, another one is not overwritten."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sf_eval.cli.main import _run
from sf_eval.mini import recipe
from sf_eval.mini.decoder import AuxiliaryHeads, adopt_slow_path
from sf_eval.mini.footage import Video, draw_scenes, see, watch
from sf_eval.mini.lessons import Teacher
from sf_eval.mini.recipe import BUDGETS, VARIANTS
from sf_eval.mini.stages import Stage, Trainer, examine
from sf_eval.mini.store import Store
from sf_eval.model.checkpoint import config_from
from sf_eval.model.modeling import SlowFastForConditionalGeneration

NEEDLES = ("disc_colour", "disc_background")


def test_the_slow_path_learns_needles_that_pooling_loses(load, teacher: Teacher, tmp_path: Path) -> None:
    """The video stage, small: `mini` without its slow path learns one anew, or does without; same data."""
    start = load("mini").model
    tower = start.model.vision_tower
    videos = [
        Video(scene, see(tower, watch(scene, recipe.IMAGE_SIZE)))
        for seed, count in (("small", 220), ("small, held out", 40))
        for scene in draw_scenes(seed, count, (24,))
    ]
    budget = replace(BUDGETS["full"], batch_videos=8, questions=3)
    stage = Stage("video", 110, "all", lambda _: 48)
    right = {}
    for variant in VARIANTS[0], VARIANTS[2]:
        torch.manual_seed(0)
        model = SlowFastForConditionalGeneration(config_from(recipe.config(variant), variant.name))
        kept = {name: value for name, value in start.state_dict().items() if "cross_attn" not in name}
        model.load_state_dict(kept, strict=False)
        if variant.slow_path:
            adopt_slow_path(model)
        model.model.vision_tower.requires_grad_(False)
        trainer = Trainer(
            model,
            AuxiliaryHeads(96),
            videos=videos[:220],
            teacher=teacher,
            budget=budget,
            seed=0,
            kinds=(*NEEDLES, "mover_colour"),
        )
        trainer.train(stage, Store(tmp_path), variant.name)
        seen = examine(trainer, videos[220:], teacher, "all", 48)
        right[variant.name] = sum(seen[kind] for kind in NEEDLES) / len(NEEDLES)
    assert right["mini"] > right["mini-pooled"] + 15, right


TRAIN = ("mini", "train", "--budget", "small", "--threads", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small training of one model, never interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert _run([*TRAIN, "--models", "mini", "--output", str(folder)]) == 0
    return folder


def test_it_leaves_a_checkpoint_that_says_where_it_came_from(whole: Path) -> None:
    files = {path.name for path in (whole / "mini").iterdir()}
    assert files == {
        "config.json", "generation_config.json", "model.safetensors", "origin.json", "tokenizer.json",
        "tokenizer_config.json", "sf_eval_card.yaml",
    }  # fmt: skip
    weights = load_file(whole / "mini" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    assert "model.layers.0.self_attn.cross_attn_kv_proj.weight" in weights
    assert "model.vision_tower.vision_tower.stages.0.blocks.0.weight" in weights
    origin = json.loads((whole / "mini" / "origin.json").read_text())
    assert origin["seed"] == 0
    assert origin["budget"]["name"] == "small"
    assert set(origin["seconds"]) == {"videos and tower", "language", "mini"}
    assert all(seconds > 0 for seconds in origin["seconds"].values())


def test_a_killed_training_resumes_to_the_same_weights(whole: Path, tmp_path: Path) -> None:
    program = [str(Path(sys.executable).with_name("sf-eval")), *TRAIN, "--models", "mini"]
    process = subprocess.Popen(
        [*program, "--output", str(tmp_path / "out")], stdout=subprocess.PIPE, env=os.environ
    )
    begun = tmp_path / "out" / "work" / "mini.unfinished.safetensors"
    deadline = time.monotonic() + 240
    while not begun.exists():
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "out" / "mini").exists()

    assert _run([*TRAIN, "--models", "mini", "--output", str(tmp_path / "out")]) == 0
    ours, theirs = (load_file(folder / "mini" / "model.safetensors") for folder in (tmp_path / "out", whole))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


def test_another_training_does_not_go_into_the_same_directory(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run([*TRAIN, "--seed", "1", "--output", str(whole)]) == 2
    assert "holds another training" in capsys.readouterr().err


def test_an_unknown_model_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run([*TRAIN, "--models", "mini-32f", "--output", str(tmp_path)]) == 2
    assert "mini-16f" in capsys.readouterr().err


def test_a_folder_that_it_did_not_make_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "config.json").write_text("mine")
    assert _run([*TRAIN, "--output", str(tmp_path)]) == 2
    assert "was not made by sf-eval mini train" in capsys.readouterr().err
    assert (tmp_path / "mini" / "config.json").read_text() == "mine"
