"""When memory runs out: smaller chunks and batches first, recorded; then the sample fails."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from sf_eval.core.cards import card_for
from sf_eval.editions import mini_root
from sf_eval.inference import Answer, Failure, FailureKind, Question, QuestionKey
from sf_eval.inference.engine import CHUNK_FRAMES, Engine
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.model.modeling import SlowFastForConditionalGeneration, VideoFeatures
from sf_eval.video import Clip, ClipLoader, SamplingRule

FRAMES = 9


def run_out(said: str = "") -> None:
    """Ask for memory that no machine has: the allocator's own error; or `said`, as a GPU's driver says it."""
    if said:
        raise RuntimeError(said)
    torch.empty(1 << 60, dtype=torch.uint8)


class SmallMachine(SlowFastForConditionalGeneration):  # type: ignore[misc]
    """The real model on a machine that holds so many frames, rows and encoded videos at once."""

    most_frames = most_rows = most_videos = 1 << 30
    said = ""

    def encode_video(self, pixel_values: torch.Tensor, chunk_frames: int = CHUNK_FRAMES) -> VideoFeatures:
        if min(chunk_frames, len(pixel_values)) > self.most_frames or len(self.held()) >= self.most_videos:
            run_out(self.said)
        features = super().encode_video(pixel_values, chunk_frames)
        self.videos.append(weakref.ref(features))
        return features

    def held(self) -> list[VideoFeatures]:
        return [features for reference in self.videos if (features := reference()) is not None]

    def generate(self, input_ids: torch.Tensor, **options: Any) -> torch.Tensor:
        self.rows.append(len(input_ids))
        if len(input_ids) > self.most_rows:
            run_out(self.said)
        return super().generate(input_ids, **options)


@pytest.fixture
def loaded() -> LoadedModel:
    loaded = load_model(card_for("mini"), device=torch.device("cpu"), dtype=torch.float32, attn="sdpa")
    loaded.model.__class__ = SmallMachine
    loaded.model.videos, loaded.model.rows = [], []
    return loaded


@pytest.fixture
def loader() -> Iterator[ClipLoader]:
    with ClipLoader(SamplingRule("uniform", FRAMES), in_process=True) as loader:
        yield loader


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    short = sorted((mini_root(["videomme"]) / "videomme" / "data").iterdir())[:4]
    return [
        Question(
            QuestionKey("t", number),
            Clip(short[number % 4]),
            f"What?{' Really?' * number}\nA. One.\nB. Two.",
            8,
        )
        for number in range(7)
    ]


def texts(results: list[Answer | Failure]) -> list[tuple[str, str]]:
    assert all(isinstance(result, Answer) for result in results), results
    return [(result.key, result.text) for result in results if isinstance(result, Answer)]


@pytest.fixture
def singles(loaded: LoadedModel, loader: ClipLoader, questions: list[Question]) -> list[tuple[str, str]]:
    """What the questions are answered one by one, with all the memory they want."""
    return texts(list(Engine(loaded, loader).answer(questions)))


def test_a_batch_that_does_not_fit_is_halved_for_good(
    loaded: LoadedModel,
    loader: ClipLoader,
    questions: list[Question],
    singles: list[tuple[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    loaded.model.most_rows, loaded.model.rows = 2, []
    engine = Engine(loaded, loader, batch_size=7)
    with caplog.at_level(logging.WARNING):
        assert texts(list(engine.answer(questions))) == singles
        assert texts(list(engine.answer(questions))) == singles
    assert loaded.model.rows == [7, 4, 2, 2, 3, 2, 1, *(2, 2, 2, 1)]
    assert engine.degraded == [
        "out of memory with a batch: going on with batches of 4",
        "out of memory with a batch: going on with batches of 2",
    ]
    assert [record.getMessage() for record in caplog.records] == [f"{what}." for what in engine.degraded]


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
        "CUDA error: out of memory",
    ],
)
def test_memory_that_a_library_of_the_gpu_lacks_is_memory_too(
    loaded: LoadedModel,
    loader: ClipLoader,
    questions: list[Question],
    singles: list[tuple[str, str]],
    said: str,
) -> None:
    loaded.model.said, loaded.model.most_rows, loaded.model.most_frames = said, 2, 8
    engine = Engine(loaded, loader, batch_size=4)
    assert texts(list(engine.answer(questions[:4]))) == singles[:4]
    assert engine.degraded == [
        "out of memory in the vision tower: going on with 8 frames per chunk",
        "out of memory with a batch: going on with batches of 2",
    ]


def test_frames_that_do_not_fit_are_encoded_in_smaller_chunks_for_good(
    loaded: LoadedModel, loader: ClipLoader, questions: list[Question], singles: list[tuple[str, str]]
) -> None:
    loaded.model.most_frames = 4
    engine = Engine(loaded, loader, batch_size=2)
    assert texts(list(engine.answer(questions))) == singles
    assert engine.degraded == [
        "out of memory in the vision tower: going on with 8 frames per chunk",
        "out of memory in the vision tower: going on with 4 frames per chunk",
    ]


def test_videos_that_wait_for_their_batch_make_room(
    loaded: LoadedModel, loader: ClipLoader, questions: list[Question], singles: list[tuple[str, str]]
) -> None:
    loaded.model.most_videos, loaded.model.rows = 3, []
    engine = Engine(loaded, loader, batch_size=5)
    assert texts(list(engine.answer(questions))) == singles
    assert loaded.model.rows == [3, 3, 1]
    assert engine.chunk_frames == CHUNK_FRAMES
    assert engine.degraded == ["out of memory with a batch: going on with batches of 3"]


@pytest.mark.parametrize("lack", ["most_frames", "most_rows"])
def test_a_sample_that_does_not_fit_alone_fails_as_out_of_memory(
    loaded: LoadedModel, loader: ClipLoader, questions: list[Question], lack: str
) -> None:
    setattr(loaded.model, lack, 0)
    results = list(Engine(loaded, loader, batch_size=2).answer(questions[:3]))
    assert [result.key for result in results] == ["q0", "q1", "q2"]
    for result in results:
        assert isinstance(result, Failure)
        assert result.kind is FailureKind.OUT_OF_MEMORY
        assert "allocate" in result.reason
    setattr(loaded.model, lack, 1 << 30)
    assert texts(list(Engine(loaded, loader).answer(questions[:1])))


def test_another_error_in_a_batch_costs_its_own_sample_and_no_memory(
    loaded: LoadedModel, loader: ClipLoader, questions: list[Question], singles: list[tuple[str, str]]
) -> None:
    too_long = Question(QuestionKey("long", 0), questions[0].clip, "very " * 5000, 8)
    engine = Engine(loaded, loader, batch_size=4)
    results = list(engine.answer([*questions[:2], too_long, *questions[2:]]))
    assert isinstance(results[2], Failure)
    assert results[2].kind is FailureKind.MODEL_ERROR
    assert texts([*results[:2], *results[3:]]) == singles
    assert (engine.degraded, engine.batch_size) == ([], 4)
