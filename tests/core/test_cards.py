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
