"""`sf-eval attach train`: a user's questions, resuming, and what it leaves for `sf-eval run`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

sys.path.append(str(Path(__file__).parents[1] / "inference" / "families"))

from tiny_checkpoints import make_checkpoint

from sf_eval.cli.actions.training_progress import TrainingProgress
from sf_eval.cli.attach import command
from sf_eval.core.cards import card_for
from sf_eval.core.errors import DataError, SfEvalError, UsageError
from sf_eval.editions.encode import write_video
from sf_eval.harness.stopped import InterruptedRunError
from sf_eval.inference.families import open_model
from sf_eval.model.attach import has_slow_path, load_slow_path
from sf_eval.training.attached.examining import keep_out
from sf_eval.training.attached.questions import read_questions, write_mini_split
from sf_eval.training.footage import draw_scenes

ROWS = [
    {"video": "0.mp4", "question": "Which?", "options": ["red", "blue"], "answer": "B"},
    {"video": "0.mp4", "question": "How many?", "options": ["one", "two", "three"], "answer": "a"},
    {"video": "1.mp4", "question": "What is shown?", "options": None, "answer": "an arrow"},
    {"video": "1.mp4", "question": "Is it dark?", "options": None, "answer": "yes"},
]
WEIGHTS, DESCRIPTION = "slow_path.safetensors", "slow_path.json"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint("qwen2_5_vl", tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("media")
    for number, scene in enumerate(draw_scenes("attach train", 2, (3,))):
        write_video(folder / f"{number}.mp4", scene)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "questions.parquet"
    pq.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.fixture
def train(base: Path, media: Path, table: Path):
    def run(output: Path, *more: str, **options: Any) -> Result:
        arguments = {
            "--model": base, "--data": table, "--media": media, "--output": output, "--every-n-layers": 2,
            "--steps": 4, "--save-every": 2, "--questions": 2, "--num-frames": 4, "--temporal-stride": 2,
            "--learning-rate": 1e-2, **options,
        }  # fmt: skip
        given = [str(part) for pair in arguments.items() for part in pair]
        return CliRunner().invoke(command, ["train", *given, *more])

    return run


def error_of(result: Result) -> SfEvalError:
    assert isinstance(result.exception, SfEvalError), result.exception
    return result.exception


@pytest.mark.thorough
def test_a_killed_training_ends_in_the_same_weights_and_another_seed_in_others(
    train, tmp_path, monkeypatch
) -> None:
    assert train(tmp_path / "whole").exit_code == 0
    step = TrainingProgress.step

    def stop(self: TrainingProgress, what: str, done: int, total: int, loss: float | None = None) -> None:
        step(self, what, done, total, loss)
        if done == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, "step", stop)
        assert isinstance(train(tmp_path / "cut").exception, InterruptedRunError)
    assert not (tmp_path / "cut" / WEIGHTS).exists()
    assert train(tmp_path / "cut").exit_code == 0
    whole = (tmp_path / "whole" / WEIGHTS).read_bytes()
    assert (tmp_path / "cut" / WEIGHTS).read_bytes() == whole
    train(tmp_path / "other", "--seed", "1")
    assert (tmp_path / "other" / WEIGHTS).read_bytes() != whole
    assert "another plan (plan)" in str(error_of(train(tmp_path / "whole", "--seed", "2")))


def test_what_it_writes_is_a_model_with_its_base(train, tmp_path, base) -> None:
    train(tmp_path)
    card = card_for(str(tmp_path))
    assert (card.family, card.weights, card.num_frames, card.slow_path) == (
        "qwen2_5_vl", str(base), 4, "on",
    )  # fmt: skip
    attached = open_model(card, dtype="float32").model
    assert attached.slow_path.rope == "own"
    plain = open_model(card_for(str(base)), dtype="float32").model
    assert not has_slow_path(plain)
    state = attached.state_dict()
    assert all(torch.equal(state[name], value) for name, value in plain.state_dict().items())
    again = load_slow_path(plain, tmp_path).state_dict()
    assert all(torch.equal(state[name], value) for name, value in again.items())
    gate = load_file(tmp_path / WEIGHTS)["layers.0.slow_gate.warm_up"]
    assert gate.abs() > 1e-2, "the gates have ten times the learning rate"
    assert json.loads((tmp_path / "origin.json").read_text())["plan"]["steps"] == 4


def test_a_trained_language_model_is_written_whole(train, tmp_path, base) -> None:
    assert train(tmp_path, "--llm-learning-rate", "1e-3").exit_code == 0
    card = card_for(str(tmp_path))
    assert (card.weights, card.slow_path) == (str(tmp_path), "on")
    learned = open_model(card, dtype="float32").model.state_dict()
    plain = open_model(card_for(str(base)), dtype="float32").model.state_dict()
    moved = {name for name, value in plain.items() if not torch.equal(value, learned[name])}
    assert any("language_model" in name for name in moved)
    assert not any("visual" in name for name in moved)


def test_held_out_videos_are_asked_before_and_after_and_never_learned_from(
    train, tmp_path, table, media
) -> None:
    result = train(tmp_path / "out", "--held-out", "1", "--examine-every", "2")
    said = [line for line in result.output.splitlines() if line.startswith("held out, after")]
    assert [line.split()[3] for line in said] == ["0", "2", "4"]
    found = json.loads((tmp_path / "out" / "origin.json").read_text())["held_out"]
    assert [item["step"] for item in found] == [0, 2, 4]
    assert all(item["questions"] == 2 for item in found)
    assert found[0]["loss"] != found[2]["loss"]

    questions = read_questions(table, media)
    learned, kept = keep_out(questions, 1, 0)
    alone = tmp_path / "learned.json"
    rows = [row for row, question in zip(ROWS, questions, strict=True) if question in learned]
    alone.write_text(json.dumps(rows))
    train(tmp_path / "alone", **{"--data": alone})
    assert (tmp_path / "alone" / WEIGHTS).read_bytes() == (tmp_path / "out" / WEIGHTS).read_bytes()
    assert {item.video for item in learned}.isdisjoint(item.video for item in kept)


def test_holding_out_every_video_is_refused(train, tmp_path) -> None:
    error = error_of(train(tmp_path / "out", "--held-out", "2"))
    assert isinstance(error, UsageError)
    assert "there are 2 videos" in str(error)


def test_a_table_says_what_is_asked_and_what_is_to_be_said(table, media) -> None:
    chosen, small, spoken, _ = read_questions(table, media)
    assert chosen.prompt.startswith("Which?\nA. red\nB. blue\n")
    assert (chosen.answer, small.answer) == ("B", "A")
    assert (spoken.prompt, spoken.answer) == ("What is shown?", "an arrow")
    assert spoken.video == media / "1.mp4"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"video": "../0.mp4"}, "row 0"),
        ({"video": "2.mp4"}, "2.mp4 is missing"),
        ({"answer": "C"}, "none of the options"),
        ({"options": ["red"]}, "entries"),
    ],
)
def test_a_row_that_cannot_be_learned_from_is_refused(tmp_path, media, change, said) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{**ROWS[0], **change}]))
    with pytest.raises(DataError, match=said):
        read_questions(path, media)


def test_what_cannot_be_attached_to_is_refused_before_anything_is_written(train, tmp_path) -> None:
    error = error_of(train(tmp_path / "out", **{"--model": "mini"}))
    assert isinstance(error, UsageError)
    assert "has a slow path already" in str(error)
    assert not (tmp_path / "out").exists()
    assert isinstance(error_of(train(tmp_path / "out", **{"--data": str(tmp_path)})), DataError)


def test_the_mini_editions_training_split_has_that_form(tmp_path) -> None:
    table = write_mini_split(tmp_path / "split", 1, lambda *_: None)
    questions = read_questions(table)
    assert {question.video for question in questions} == {tmp_path / "split" / "videos" / "0000.mp4"}
    assert {question.answer for question in questions} <= set("ABCDEF")


def test_slow_is_a_name_for_the_profile_alone() -> None:
    with pytest.raises(UsageError, match="directory"):
        card_for("qwen2.5-vl-7b+slow")
