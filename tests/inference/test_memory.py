"""When memory runs out: smaller chunks and batches first, recorded; then the sample fails."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import pytest
import torch

from sf_eval.core.cards import card_for
from sf_eval.editions import mini_root
from sf_eval.harness.distributed.work import VideoWork
from sf_eval.harness.distributed.worker import HandedPictures
from sf_eval.inference import Answer, Failure, FailureKind, Question, QuestionKey, Result
from sf_eval.inference.chunks import CHUNK_FRAMES
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import slow_fast
from sf_eval.inference.families.slow_fast import Beginning, SlowFastVideoModel
from sf_eval.inference.family import Asked, Generated
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.model.shared_prefix import Prefix, prefill_prefix, prefill_prefixes
from sf_eval.model.tokens import VideoFeatures
from sf_eval.video import Clip, ClipPlan, ClipPool, Frames, SamplingRule

FRAMES = 9


def run_out(said: str = "") -> None:
    """Ask for memory that no machine has: the allocator's own error; or `said`, as a GPU's driver says it."""
    if said:
        raise RuntimeError(said)
    torch.empty(1 << 60, dtype=torch.uint8)


class SmallMachine(SlowFastVideoModel):
    """The real model on a machine that holds so many frames, rows and encoded videos at once."""

    most_frames = most_rows = most_videos = most_prefixes = most_beside = 1 << 30
    said = ""

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded)
        self.postpones = False  # as a model whose prefixes are long
        self.videos: list[weakref.ref[VideoFeatures]] = []
        self.begun: list[weakref.ref[Beginning]] = []
        self.rows: list[int] = []

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> VideoFeatures:
        if min(chunk_frames, len(pixels)) > self.most_frames or len(held(self.videos)) >= self.most_videos:
            run_out(self.said)
        video = super().encode(pixels, shown, chunk_frames=chunk_frames)
        self.videos.append(weakref.ref(video))
        return video

    def prefixes(self, video: VideoFeatures | None, texts: Sequence[str]) -> Sequence[Beginning | None]:
        if len(held(self.begun)) >= self.most_prefixes:
            run_out(self.said)
        prefixes = super().prefixes(video, texts)
        self.begun += [weakref.ref(prefix) for prefix in {*prefixes} if prefix is not None]
        return prefixes

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        self.rows.append(len(asked))
        if len(asked) > self.most_rows or len(held(self.videos)) > self.most_beside:
            run_out(self.said)
        return super().answer(asked)


def held(references: list[weakref.ref[Any]]) -> list[Any]:
    return [one for reference in references if (one := reference()) is not None]


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_model(card_for("mini"), device=torch.device("cpu"), dtype=torch.float32, attn="sdpa")


@pytest.fixture
def model(loaded: LoadedModel) -> SmallMachine:
    return SmallMachine(loaded)


@pytest.fixture(scope="module")
def pool(loaded: LoadedModel) -> Iterator[ClipPool]:
    resize = SlowFastVideoModel(loaded).resize
    with ClipPool(SamplingRule("uniform", FRAMES), decoders=1, resize=resize) as pool:
        yield pool


@pytest.fixture(params=[True, False], ids=["shared", "not shared"])
def share(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


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


def texts(results: Iterable[Result]) -> dict[QuestionKey, str]:
    answers = list(results)
    assert all(isinstance(result, Answer) for result in answers), answers
    return {result.key: result.text for result in answers if isinstance(result, Answer)}


@pytest.fixture(scope="module")
def singles(loaded: LoadedModel, pool: ClipPool, questions: list[Question]) -> dict[QuestionKey, str]:
    """What the questions are answered one by one, with all the memory they want."""
    return texts(Engine(SlowFastVideoModel(loaded), pool, share=False).answer(questions))


def test_a_batch_that_does_not_fit_is_halved_for_good(
    model: SmallMachine,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    share: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model.most_rows = 2
    engine = Engine(model, pool, batch_size=7, share=share)
    with caplog.at_level(logging.WARNING):
        assert texts(engine.answer(questions)) == singles
        assert texts(engine.answer(questions)) == singles
    assert model.rows == [7, 4, 2, 2, 3, 2, 1, *(2, 2, 2, 1)]
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
    model: SmallMachine,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    share: bool,
    said: str,
) -> None:
    model.said, model.most_rows, model.most_frames = said, 2, 8
    engine = Engine(model, pool, batch_size=4, share=share)
    given = texts(engine.answer(questions[:4]))
    assert given == {key: singles[key] for key in given}
    assert len(given) == 4
    assert engine.degraded == [
        "out of memory in the vision tower: going on with 8 frames per chunk",
        "out of memory with a batch: going on with batches of 2",
    ]


def test_frames_that_do_not_fit_are_encoded_in_smaller_chunks_for_good(
    model: SmallMachine,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    share: bool,
) -> None:
    model.most_frames = 4
    engine = Engine(model, pool, batch_size=2, share=share)
    assert texts(engine.answer(questions)) == singles
    assert engine.degraded == [
        "out of memory in the vision tower: going on with 8 frames per chunk",
        "out of memory in the vision tower: going on with 4 frames per chunk",
    ]


@pytest.mark.parametrize(
    ("share", "lack", "most", "rows"),
    [
        (True, "most_videos", 2, [4, 3]),  # two questions each of three videos, one of a fourth
        (True, "most_videos", 1, [2, 2, 2, 1]),
        (True, "most_prefixes", 2, [4, 3]),
        (True, "most_prefixes", 1, [2, 2, 2, 1]),
        (False, "most_videos", 3, [3, 3, 1]),
        (False, "most_videos", 1, [1] * 7),
    ],
)
def test_videos_that_wait_for_their_batch_make_room(
    model: SmallMachine,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    share: bool,
    lack: str,
    most: int,
    rows: list[int],
) -> None:
    setattr(model, lack, most)
    engine = Engine(model, pool, batch_size=5, share=share)
    assert texts(engine.answer(questions)) == singles
    assert model.rows == rows
    assert engine.chunk_frames == CHUNK_FRAMES
    assert engine.degraded == [f"out of memory with a batch: going on with batches of {rows[0]}"]


def test_a_question_that_does_not_fit_beside_other_videos_is_asked_again_when_they_are_gone(
    model: SmallMachine, pool: ClipPool, questions: list[Question], singles: dict[QuestionKey, str]
) -> None:
    """Two questions do not fit while four videos are held, and do once the two others are answered."""
    tight: list[int] = []

    class Tight(SmallMachine):
        def answer(self, asked: Sequence[Asked]) -> list[Generated]:
            if "Really? Really?" not in asked[0].text and len(held(self.videos)) > 2:
                tight.append(len(held(self.videos)))
                run_out()
            return super().answer(asked)

    machine = Tight(model.loaded)
    engine = Engine(machine, pool, batch_size=4, share=True)
    given = texts(engine.answer([questions[number] for number in (0, 1, 2, 3)]))
    assert given == {question.key: singles[question.key] for question in questions[:4]}
    assert max(tight) > 2


def test_pictures_that_others_decode_are_handed_out_again_and_then_forgotten(
    model: SmallMachine, pool: ClipPool, questions: list[Question], singles: dict[QuestionKey, str]
) -> None:
    """As a worker does whose videos are decoded elsewhere."""
    model.most_beside = 1
    fetched: list[Clip] = []

    def fetch(clip: Clip) -> Frames:
        fetched.append(clip)
        return pool.load(clip)

    pictures = HandedPictures(fetch)
    asked = questions[:4]
    for number, question in enumerate(asked):
        assert question.clip is not None
        pictures.expect(VideoWork(number, question.clip, (question,), 1.0, pictures=question.clip))
    given = {}
    for result in Engine(model, None, batch_size=4).answer_arriving(
        [*([question] for question in asked), []], pictures.load
    ):
        pictures.answered(result.key)
        given[result.key] = getattr(result, "text", result)
    assert given == {question.key: singles[question.key] for question in asked}
    assert len(fetched) > len(set(fetched)) == 4
    assert not pictures._handles


@pytest.mark.parametrize("arriving", [False, True], ids=["all known", "arriving"])
def test_videos_that_each_fit_only_alone_are_all_answered(
    model: SmallMachine,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    share: bool,
    arriving: bool,
) -> None:
    """Those that make room for the others are decoded and encoded once more, by themselves."""
    model.most_beside = 1
    engine = Engine(model, pool, batch_size=4, share=share)
    if arriving:
        each = [*([question] for question in questions[:4]), []]
        given = texts(engine.answer_arriving(each, pool.load))
    else:
        given = texts(engine.answer(questions[:4]))
    assert given == {question.key: singles[question.key] for question in questions[:4]}
    assert (engine.batch_size, len(model.videos)) == (1, 4 + 3)


def test_what_does_not_even_fit_alone_fails_and_the_others_are_answered(
    model: SmallMachine, pool: ClipPool, questions: list[Question], singles: dict[QuestionKey, str]
) -> None:
    class Tight(SmallMachine):
        def answer(self, asked: Sequence[Asked]) -> list[Generated]:
            if any("Really? Really?" in each.text for each in asked):
                run_out()
            return super().answer(asked)

    machine = Tight(model.loaded)
    machine.most_beside = 1
    results = {result.key: result for result in Engine(machine, pool, batch_size=4).answer(questions[:4])}
    kinds = [getattr(results[question.key], "kind", None) for question in questions[:4]]
    assert kinds == [None, None, FailureKind.OUT_OF_MEMORY, FailureKind.OUT_OF_MEMORY]
    assert all(results[question.key].text == singles[question.key] for question in questions[:2])


def test_the_halves_of_a_batch_are_not_held_until_its_end(
    model: SmallMachine, pool: ClipPool, questions: list[Question]
) -> None:
    """Its first half is answered, and may go, before the second is asked."""
    model.most_rows = 1
    engine = Engine(model, pool, batch_size=4, share=True)
    counts = []
    for _ in engine.answer([questions[number] for number in (0, 1, 2, 3)]):
        counts.append(len(held(model.begun)))
    assert counts == [3, 2, 1, 0]


@pytest.mark.parametrize(("most", "kinds"), [(2, [None] * 4), (0, [FailureKind.OUT_OF_MEMORY] * 4)])
def test_prefixes_that_do_not_fit_together_are_prefilled_apart(
    loaded: LoadedModel,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    kinds: list[FailureKind | None],
) -> None:
    """They are left to their batch, which is halved."""
    passes: list[int] = []

    def prefill(model: Any, given: Sequence[Any]) -> list[Prefix]:
        passes.append(len(given))
        if len(given) > most:
            run_out()
        return prefill_prefixes(model, given)

    monkeypatch.setattr(slow_fast, "prefill_prefixes", prefill)
    engine = Engine(SlowFastVideoModel(loaded), pool, batch_size=4)
    results = {result.key: result for result in engine.answer(questions[:4])}
    assert passes[0] == 4
    assert [getattr(results[question.key], "kind", None) for question in questions[:4]] == kinds
    if most:
        assert {key: result.text for key, result in results.items() if isinstance(result, Answer)} == {
            question.key: singles[question.key] for question in questions[:4]
        }
        assert passes == [4, 2, 2]
        assert engine.degraded == ["out of memory with a batch: going on with batches of 2"]


def test_where_a_video_has_no_room_for_two_prefixes_its_questions_share_the_shorter_one(
    loaded: LoadedModel, pool: ClipPool, questions: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two kinds of long text, each worth a prefix of its own, must not cost a video its questions."""
    made: list[weakref.ref[Prefix]] = []
    tokens: list[int] = []

    def prefill(*given: Any) -> Prefix:
        if held(made):
            run_out()
        prefix = prefill_prefix(*given)
        made.append(weakref.ref(prefix))
        tokens.append(prefix.tokens)
        return prefix

    asked = [
        Question(QuestionKey("t", row), questions[0].clip, f"{said * 600}Why?{' Why?' * row}\nA. One.", 8)
        for row, said in enumerate(("loud ", "soft ", "loud ", "soft "))
    ]
    whole = texts(Engine(SlowFastVideoModel(loaded), pool, share=False).answer(asked))
    monkeypatch.setattr(slow_fast, "prefill_prefix", prefill)
    assert texts(Engine(SlowFastVideoModel(loaded), pool, batch_size=2).answer(asked)) == whole
    long, short = tokens
    assert long > short + 512


def test_no_pictures_are_held_while_questions_are_answered(
    model: SmallMachine, loaded: LoadedModel, questions: list[Question]
) -> None:
    pictures: list[weakref.ref[Frames]] = []

    class Watched(ClipPool):
        def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Any], None, None]:
            given = super().in_order(clips)
            while True:
                try:
                    yield noted(next(given))
                except StopIteration:
                    return

    def noted(item: tuple[Clip, Any]) -> tuple[Clip, Any]:
        pictures.append(weakref.ref(item[1]))
        return item

    with Watched(SamplingRule("uniform", FRAMES), decoders=0, resize=model.resize) as pool:
        counts = [len(held(pictures)) for _ in Engine(model, pool).answer(questions)]
    assert (len(pictures), counts) == (4, [0] * 7)


@pytest.mark.parametrize(
    ("lack", "share"),
    [
        ("most_frames", True),
        ("most_frames", False),
        ("most_prefixes", True),
        ("most_rows", True),
        ("most_rows", False),
    ],
)
def test_a_sample_that_does_not_fit_alone_fails_as_out_of_memory(
    model: SmallMachine, pool: ClipPool, questions: list[Question], lack: str, share: bool
) -> None:
    setattr(model, lack, 0)
    results = list(Engine(model, pool, batch_size=2, share=share).answer(questions[:3]))
    assert sorted(result.key for result in results) == [question.key for question in questions[:3]]
    for result in results:
        assert isinstance(result, Failure)
        assert result.kind is FailureKind.OUT_OF_MEMORY
        assert "allocate" in result.reason
    setattr(model, lack, 1 << 30)
    assert texts(Engine(model, pool, share=share).answer(questions[:1]))


def test_another_error_in_a_batch_costs_its_own_sample_and_no_memory(
    model: SmallMachine,
    pool: ClipPool,
    questions: list[Question],
    singles: dict[QuestionKey, str],
    share: bool,
) -> None:
    too_long = Question(QuestionKey("long", 0), questions[0].clip, "very " * 5000, 8)
    engine = Engine(model, pool, batch_size=4, share=share)
    results = {result.key: result for result in engine.answer([*questions[:2], too_long, *questions[2:]])}
    failed = results.pop(too_long.key)
    assert isinstance(failed, Failure)
    assert failed.kind is FailureKind.MODEL_ERROR
    assert texts(results.values()) == singles
    assert (engine.degraded, engine.batch_size) == ([], 4)
