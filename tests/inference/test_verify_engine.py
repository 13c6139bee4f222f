"""`sf-eval verify --engine`: answers with every gain on and off, on a part of the mini questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from sf_eval.cli.verify import command
from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import OutputError, UsageError
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.family import Asked, Generated
from sf_eval.model.loading import load_model
from sf_eval.verifying import engine as verification
from sf_eval.verifying.engine import (
    COMBINATIONS,
    ON_DEVICE,
    PLAIN,
    Combination,
    conclusion,
    engine_table,
    mini_questions,
    verify_engine,
)
from sf_eval.verifying.engine_record import EngineRecord

ROOT = Path(__file__).resolve().parents[2]
ALL_ON = Combination(share=True, seek=True, decoders=2, batch_size=8)
QUESTIONS = 5  # about a video
FEW = (ALL_ON, Combination(share=True, seek=False, decoders=0, batch_size=1))


def verified(
    dtypes: Sequence[str] = ("float32",), combinations: Sequence[Combination] = FEW, videos: int = 1
) -> EngineRecord:
    asked = mini_questions(["videomme_w_subtitle"], videos=videos)
    return verify_engine(
        asked, device=torch.device("cpu"), dtypes=dtypes, combinations=combinations, num_frames=8
    )


def test_the_combinations_are_all_there_are() -> None:
    assert COMBINATIONS[0] == PLAIN
    assert len(set(COMBINATIONS)) == 2 * 2 * 2 * 2
    assert {one.decoders for one in COMBINATIONS} == {0, 2}
    assert {one.batch_size for one in COMBINATIONS} == {1, 8}


def test_float32_gives_the_same_answers_and_half_precision_a_rate() -> None:
    record = verified(("float32", "bfloat16"), videos=2)
    assert record.passed
    assert [(one.dtype, one.plain) for one in record.combinations] == [
        ("float32", True), ("float32", False), ("float32", False),
        ("bfloat16", True), ("bfloat16", False), ("bfloat16", False),
    ]  # fmt: skip
    for one in record.combinations:
        assert (one.failed, one.questions, record.videos) == (0, 2 * QUESTIONS, 2)
        assert one.questions - one.equal_answers == len(one.differences)
        assert 0 <= one.equal_answers <= one.equal_letters <= one.questions
        if one.dtype == "float32":
            assert one.equal_answers == one.equal_letters == one.equal_to_float32 == one.questions


def test_resized_by_the_device_a_rate_is_told_and_nothing_fails_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = verification.open_model

    def open_model(card: ModelCard, **options: Any) -> SlowFastVideoModel:
        if card.options == {"resize": "device"}:
            return Talkative(load_model(replace(card, options={}), **options), resize_on_device=True)
        return real(card, **options)

    monkeypatch.setattr(verification, "open_model", open_model)
    plain, on_device = verified(combinations=(ON_DEVICE,)).combinations
    assert (plain.resize, on_device.resize) == ("decoder", "device")
    assert 0 < on_device.equal_answers < on_device.questions, "another answer to some, and no failure"
    assert on_device.passed
    record = EngineRecord.model_construct(passed=True, combinations=[plain, on_device])
    changed = on_device.questions - on_device.equal_answers
    assert conclusion(record) == (
        f"Answers that differ: {changed} of {QUESTIONS} in float32 with --resize device; "
        "all others are the same."
    )


class Talkative(SlowFastVideoModel):
    """Answers otherwise as soon as a batch has several rows, or fails."""

    fails = False

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        given = super().answer(asked)
        if len(asked) == 1 or self.fails:
            if self.fails and asked[0].prefix is not None:
                raise ValueError("a defect")
            return given
        return [replace(given[0], text="Neither."), *given[1:]]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("dtype", ["float32", pytest.param("bfloat16", marks=pytest.mark.thorough)])
def test_another_answer_in_float32_and_a_failure_in_any_dtype_are_no_pass(
    monkeypatch: pytest.MonkeyPatch, fails: bool, dtype: str
) -> None:
    monkeypatch.setattr(Talkative, "fails", fails)
    monkeypatch.setattr(
        verification, "open_model", lambda *args, **options: Talkative(load_model(*args, **options))
    )
    record = verified((dtype,), (ALL_ON,))
    plain, gained = record.combinations
    assert plain.passed
    assert gained.passed == record.passed == (dtype == "bfloat16" and not fails)
    assert gained.failed == (QUESTIONS if fails else 0)
    assert gained.differences[0].here == (None if fails else "Neither.")
    assert gained.equal_letters < gained.questions
    assert conclusion(record).startswith(
        f"{QUESTIONS} answers are missing" if fails
        else "The engine's gains change answers." if dtype == "float32"
        else f"Answers that differ: {len(gained.differences)} of {2 * QUESTIONS} in bfloat16"
    )  # fmt: skip
    cells = engine_table(record).rows[1]
    assert cells[-1] == ("ok" if gained.passed else "FAILED")
    assert cells[5] != "100.0%"


def test_the_command_writes_what_it_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = mini_questions(["videomme"], videos=1)
    monkeypatch.setattr(verification, "mini_questions", lambda *args, **options: part)
    monkeypatch.setattr(verification, "COMBINATIONS", FEW[:1])
    out = tmp_path / "new" / "engine.json"
    done = run("--engine", "--dtype", "float32", "--output", str(out))
    assert done.code == 0, done.out
    record = EngineRecord.model_validate_json(out.read_text())
    assert (record.schema_version, record.passed, record.model) == (2, True, "mini")
    assert [one.resize for one in record.combinations] == ["decoder", "decoder", "device"]
    assert "The answers are the same." in done.out or "with --resize device" in done.out


def test_a_file_that_cannot_be_written_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "mini_questions", lambda: pytest.fail("asked"))
    (tmp_path / "file").touch()
    assert isinstance(run("--engine", "--output", str(tmp_path / "file" / "x.json")).code, OutputError)


class Done:
    def __init__(self, result: Any) -> None:
        self.code = result.return_value if result.exception is None else result.exception
        self.out = result.output


def run(*args: str) -> Done:
    return Done(CliRunner().invoke(command, args, standalone_mode=False))


@pytest.mark.parametrize(
    "args",
    [
        ("--engine", "somewhere"),
        ("--engine", "--tolerance", "1"),
        ("--all",),
        ("--output", "x.json"),
        ("--engine", "--device", "cuda:99"),
    ],
)
def test_options_that_cannot_be_meant_together(args: tuple[str, ...]) -> None:
    assert isinstance(run(*args).code, UsageError)


def test_the_published_schema_is_that_of_the_code() -> None:
    written = json.loads((ROOT / "docs/schemas/verify_engine.schema.json").read_text())
    schema = EngineRecord.model_json_schema()
    assert written == schema, "run python -m sf_eval.verifying.engine_record"
