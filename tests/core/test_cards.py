"""A number of frames, or of tokens, is a number, and the same one to every verb."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sf_eval.core.cards import card_for, check_card, load_card
from sf_eval.core.errors import SfEvalError, UsageError
from sf_eval.core.paths import PACKAGE
from sf_eval.profiler.profile import subject_of


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PACKAGE / "assets" / "mini", tmp_path / "checkpoint"))


def state(directory: Path, **values: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(("stated", "frames"), [(64, 64), (1, 1), (None, 16 * 2 * 4)])
def test_a_checkpoints_frames_are_the_same_to_a_run_and_to_the_profile(
    directory: Path, stated: int | None, frames: int
) -> None:
    state(directory, num_frames=stated)
    card = card_for(str(directory))
    assert card.num_frames == frames
    assert subject_of(card).frames == frames


@pytest.mark.parametrize("stated", ["64", "many", True, 0, -64, 64.0, [64]])
def test_frames_that_are_no_number_are_refused_by_every_verb(directory: Path, stated: object) -> None:
    state(directory, num_frames=stated)
    with pytest.raises(UsageError, match=r"num_frames is .*; it must be a whole number, 1 or more"):
        card_for(str(directory))
    (directory / "sf_eval_card.yaml").write_text("title: Own\nnum_frames: 32\n")
    with pytest.raises(SfEvalError, match="num_frames"):  # the card's number hides no damaged configuration
        subject_of(card_for(str(directory)))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("num_frames", True, "a whole number"),
        ("num_frames", "64", "a whole number"),
        ("num_frames", 64.0, "a whole number"),
        ("num_frames", 0, "at least 1"),
        ("max_new_tokens", True, "a whole number"),
        ("max_new_tokens", -1, "0 or more"),
        ("target_fps", True, "a number"),
        ("target_fps", float("nan"), "above 0"),
        ("target_fps", float("inf"), "above 0"),
        ("decode_slow_attention", 1, "true or false"),
        ("title", 5, "text"),
    ],
)
def test_a_value_of_another_kind_is_said_in_words(key: str, value: object, expected: str) -> None:
    card = replace(load_card("mini"), **{key: value})
    with pytest.raises(UsageError, match=rf"card\.yaml: {key} is .*{expected}"):
        check_card(card, "card.yaml")


def test_a_slow_path_alone_is_asked_with_the_card_of_its_base(tmp_path: Path) -> None:
    state_of = {"base": "Qwen/Qwen3-VL-8B-Instruct"}
    (tmp_path / "slow_path.json").write_text(json.dumps(state_of))
    card = card_for(str(tmp_path))
    of_base = load_card("qwen3-vl-8b")
    assert (card.weights, card.family, card.slow_path) == (of_base.weights, of_base.family, "on")
    assert card.options == {"slow_path": str(tmp_path)}
    (tmp_path / "slow_path.json").write_text(json.dumps({"base": "nobody/knows"}))
    with pytest.raises(UsageError, match="nobody/knows"):
        card_for(str(tmp_path))


@pytest.mark.parametrize(
    ("config", "family", "slow_path"),
    [
        ({"model_type": "llava_qwen_slow_fast"}, "slow_fast", "on"),
        ({}, "slow_fast", "on"),
        ({"model_type": "internvl"}, "internvl", "off"),
        ({"model_type": "gemma9"}, "generic", "off"),
    ],
)
def test_a_directorys_family_is_told_by_its_model_type(
    tmp_path: Path, config: dict[str, str], family: str, slow_path: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    processor = {"video_processor": {"fps": 4, "num_frames": 12}}
    (tmp_path / "processor_config.json").write_text(json.dumps(processor))
    card = card_for(str(tmp_path))
    assert (card.family, card.slow_path) == (family, slow_path)
    if family != "slow_fast":
        assert (card.sampling, card.target_fps, card.num_frames) == ("family", 4.0, 12)
