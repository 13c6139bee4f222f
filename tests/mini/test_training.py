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
from sf_eval.editions.scene import BRIGHT
from sf_eval.model.checkpoint import config_from
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.training import recipe
from sf_eval.training.decoder import AuxiliaryHeads, adopt_slow_path
from sf_eval.training.footage import Video, draw_scenes, see, watch
from sf_eval.training.lessons import Teacher
from sf_eval.training.recipe import BUDGETS, VARIANTS
from sf_eval.training.stages import Stage, Trainer, examine
from sf_eval.training.store import Store
from sf_eval.training.tower import FrameCodes, frame_labels

NEEDLES = ("disc_colour", "disc_background")


@pytest.mark.thorough
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
        before = needles(trainer, videos[220:], teacher)
        trainer.train(stage, Store(tmp_path), variant.name)
        right[variant.name] = (before, needles(trainer, videos[220:], teacher))
    # The adopted slow path works from the first step; it is the rise that tells whether training trains.
    assert right["mini"][1] > right["mini"][0] + 10, right
    assert right["mini"][1] > right["mini-pooled"][1] + 25, right


def needles(trainer: Trainer, videos: list[Video], teacher: Teacher) -> float:
    """Percent right of what one moment of 48 frames shows."""
    seen = examine(trainer, videos, teacher, "all", 48)
    return sum(seen[kind] for kind in NEEDLES) / len(NEEDLES)


def test_a_frames_labels_are_what_it_shows() -> None:
    (scene,) = draw_scenes("labels", 1, (20,))
    plain = next(
        tick for tick in range(1, len(scene.ticks)) if tick not in (scene.disc_tick, scene.bars_tick)
    )
    for tick, event in (scene.disc_tick, 1), (scene.bars_tick, 2), (len(scene.ticks) - 1, 3), (plain, 0):
        label = frame_labels(scene, scene.ticks[tick])
        assert label["event"] == event
        assert label["disc"] == (1 + list(BRIGHT).index(scene.disc) if event == 1 else 0)
        assert label["bars"] == (scene.bars if event == 2 else 0)
        assert (label["mover"] > 0) == (label["direction"] > 0) == (label["background"] > 0) == (event != 3)


def test_a_token_made_of_codes_says_what_was_put_in() -> None:
    labels = [
        frame_labels(scene, scene.ticks[tick])
        for scene in draw_scenes("codes", 10, (20,))
        for tick in range(len(scene.ticks))
    ]
    codes = FrameCodes(64, seed=0)
    assert set(codes.accuracy(codes.tokens(labels), labels).values()) == {100.0}
    assert codes.accuracy(codes.tokens(labels[::-1]), labels)["bars"] < 100


TRAIN = ("mini", "train", "--budget", "small", "--threads", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small training of one model, never interrupted."""
    folder = tmp_path_factory.mktemp("whole") / "out"
    assert _run([*TRAIN, "--models", "mini", "--output", str(folder)]) == 0
    return folder


@pytest.mark.thorough
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
    assert set(origin["tower"]) == {"event", "disc", "bars", "background", "mover", "direction"}
    assert all(0 <= right <= 100 for right in origin["tower"].values())


@pytest.mark.thorough
def test_the_same_command_again_leaves_what_is_finished(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = {path: path.stat().st_mtime_ns for path in (whole / "mini").iterdir()}
    assert _run([*TRAIN, "--models", "mini", "--output", str(whole)]) == 0
    assert "Trained in" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (whole / "mini").iterdir()} == written


@pytest.mark.thorough
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
    (tmp_path / "out" / ".mini.killed.part").mkdir()  # as if it had been killed while it wrote the weights
    (tmp_path / "out" / "work" / ".mini.safetensors.killed.part").write_bytes(b"half")

    assert _run([*TRAIN, "--models", "mini", "--output", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".lock", "work", "mini"}
    assert not list((tmp_path / "out" / "work").glob("*unfinished*"))
    assert not list((tmp_path / "out" / "work").glob(".*"))
    ours, theirs = (load_file(folder / "mini" / "model.safetensors") for folder in (tmp_path / "out", whole))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.equal(tensor, theirs[name]), name


@pytest.mark.thorough
def test_a_stage_that_asks_by_need_resumes_with_what_it_knows(
    load, footage: list[Video], teacher: Teacher, tmp_path: Path
) -> None:
    budget = replace(BUDGETS["small"], batch_videos=2, questions=7)
    stage = Stage("language", 24, "eventful", by_need=True)
    start = load("mini-16f").model.state_dict()

    def trainer() -> Trainer:
        torch.manual_seed(0)
        model = SlowFastForConditionalGeneration(config_from(recipe.config(VARIANTS[1]), "mini-16f"))
        model.load_state_dict(start)
        model.model.vision_tower.requires_grad_(False)
        heads = AuxiliaryHeads(96)
        return Trainer(model, heads, videos=footage, teacher=teacher, budget=budget, seed=0)

    def stop(name: str, done: int, total: int, loss: float) -> None:
        if done == 22:
            raise KeyboardInterrupt

    whole, halves = Store(tmp_path / "whole"), Store(tmp_path / "halves")
    expected = trainer()
    expected.train(stage, whole, "language")
    with pytest.raises(KeyboardInterrupt):
        trainer().train(stage, halves, "language", stop)
    resumed = trainer()
    resumed.train(stage, halves, "language")
    for name, tensor in expected.model.state_dict().items():
        assert torch.equal(tensor, resumed.model.state_dict()[name]), name


@pytest.mark.thorough
def test_another_training_does_not_go_into_the_same_directory(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run([*TRAIN, "--seed", "1", "--models", "mini", "--output", str(whole)]) == 2
    assert "holds another training (other seed)" in capsys.readouterr().err


@pytest.mark.parametrize("state", [None, "{"])
def test_stages_of_nobody_knows_what_are_not_built_on(
    state: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "language.safetensors").write_bytes(b"")
    if state is not None:
        (tmp_path / "work" / "training.json").write_text(state)
    assert _run([*TRAIN, "--output", str(tmp_path)]) == 2
    assert "nobody knows what was trained here" in capsys.readouterr().err


def test_an_unknown_model_names_the_nearest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run([*TRAIN, "--models", "mini-32f", "--output", str(tmp_path)]) == 2
    assert "mini-16f" in capsys.readouterr().err


def test_a_folder_that_it_did_not_make_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mini").mkdir()
    (tmp_path / "mini" / "config.json").write_text("mine")
    assert _run([*TRAIN, "--output", str(tmp_path)]) == 2
    assert "this training did not make it" in capsys.readouterr().err
    assert (tmp_path / "mini" / "config.json").read_text() == "mine"
