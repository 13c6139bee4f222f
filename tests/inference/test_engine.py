"""The engine: whatever is shared, sought or decoded ahead, answers are those of one question after the other.

Real videos of the mini edition, the real mini model in float32, real decoder processes.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.cards import card_for
from sf_eval.core.errors import DataError
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.harness.questions import question_of
from sf_eval.inference import Answer, Failure, FailureKind, Question, QuestionKey, Result, StageTimings
from sf_eval.inference.engine import Engine
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.family import Asked, Generated
from sf_eval.inference.question import Said
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.model.tokens import VideoFeatures
from sf_eval.video import Clip, ClipPlan, ClipPool, LoaderClosedError, SamplingRule, WorkerStartError

RULE = SamplingRule("uniform", 5)
VIDEOS = 3


class CountingModel(SlowFastVideoModel):
    """The real model, which notes how often it was asked to do what; it may end everything at some point."""

    def __init__(self, loaded: LoadedModel) -> None:
        super().__init__(loaded)
        self.calls: Counter[str] = Counter()
        self.batches: list[int] = []
        self.generated: list[Generated] = []
        self.ending: BaseException | None = None

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> VideoFeatures:
        self.calls["encode"] += 1
        return super().encode(pixels, shown, chunk_frames=chunk_frames)

    def prefixes(self, video: VideoFeatures | None, texts: Sequence[str]) -> Any:
        self.calls["prefix"] += 1
        return super().prefixes(video, texts)

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        if self.ending is not None and self.batches:
            raise self.ending
        self.batches.append(len(asked))
        generated = super().answer(asked)
        self.generated += generated
        return generated


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_model(card_for("mini"), device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def model(loaded: LoadedModel) -> CountingModel:
    return CountingModel(loaded)


@pytest.fixture(scope="module")
def pools(loaded: LoadedModel) -> Iterator[Callable[..., ClipPool]]:
    """One pool for each number of decoders, with and without seeking; made when it is first asked for."""
    made: dict[tuple[int, bool], ClipPool] = {}

    def pool(decoders: int = 1, *, seek: bool = True) -> ClipPool:
        if (decoders, seek) not in made:
            resize = SlowFastVideoModel(loaded).resize
            made[decoders, seek] = ClipPool(RULE, decoders=decoders, resize=resize, seek=seek)
        return made[decoders, seek]

    yield pool
    for one in made.values():
        one.close()


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    """Of two tasks about the same videos, one of them with subtitles; and some of neither."""
    asked = []
    for task in ("videomme", "videomme_w_subtitle"):
        opened = open_benchmark(get_benchmark(task), parse_source("mini"))
        videos = list(dict.fromkeys(document.video_id for document in opened.documents))[:VIDEOS]
        asked += [
            question_of(opened, document, clip_mode="whole", max_new_tokens=12)
            for document in opened.documents
            if document.video_id in videos
        ]
    first, second = (asked[index] for index in (0, -1))
    asked.insert(1, Question(QuestionKey("text", 0), None, "What is two and two?\nA. Four.\nB. Five.", 12))
    asked.insert(2, Question(QuestionKey("free", 0), second.clip, "Tell all that happens in the video.", 9))
    asked.append(Question(QuestionKey("free", 1), first.clip, "Say it.", 5))
    return asked


def answers(results: Iterable[Result]) -> dict[QuestionKey, Answer]:
    given = list(results)
    assert [result for result in given if not isinstance(result, Answer)] == []
    assert len({result.key for result in given}) == len(given)
    return {result.key: result for result in given if isinstance(result, Answer)}


def without_times(given: dict[QuestionKey, Answer]) -> dict[QuestionKey, Answer]:
    """All that must be equal: words, counts of tokens, frames, prompts, why each ended."""
    none = StageTimings(0, 0, 0, 0, 0, 0, 1)
    return {key: replace(answer, timings=none) for key, answer in given.items()}


@pytest.fixture(scope="module")
def plain(
    loaded: LoadedModel, pools: Callable[..., ClipPool], questions: list[Question]
) -> dict[QuestionKey, Answer]:
    """What is answered with every gain switched off."""
    engine = Engine(SlowFastVideoModel(loaded), pools(0, seek=False), batch_size=1, share=False)
    given = answers(engine.answer(questions))
    assert next(iter(given)) == QuestionKey("text", 0)  # needs no video
    assert len({answer.text for answer in given.values()}) > 3
    assert {answer.new_tokens for answer in given.values()} == {1, 2}  # a letter and the stop, or that alone
    return given


_FEW = (
    (True, 1, 0, True), (True, 1, 2, False), (True, 3, 1, True), (True, 8, 0, False), (True, 8, 2, True),
    (False, 3, 0, False), (False, 8, 2, True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("share", "batch_size", "decoders", "seek"),
    [
        # Each value of each, and each pair of numbers that matters; the others with them in thorough.
        *_FEW,
        *(
            pytest.param(*one, marks=pytest.mark.thorough)
            for one in product([True], [1, 3, 8], [0, 1, 2], [True, False])
            if one not in _FEW
        ),
    ],
)
def test_answers_do_not_depend_on_what_is_shared(
    model: CountingModel,
    pools: Callable[..., ClipPool],
    questions: list[Question],
    plain: dict[QuestionKey, Answer],
    share: bool,
    batch_size: int,
    decoders: int,
    seek: bool,
) -> None:
    engine = Engine(model, pools(decoders, seek=seek), batch_size=batch_size, share=share)
    assert without_times(answers(engine.answer(questions))) == without_times(plain)
    assert engine.degraded == []
    assert max(model.batches) == batch_size
    assert model.calls["encode"] == (VIDEOS if share else len(questions) - 1)
    assert {one.prefix_s > 0 for one in model.generated} == ({True, False} if share else {False})
    assert model.calls["prefix"] == (VIDEOS + 1 if share else 0)  # the one without a video has an empty one


@pytest.mark.thorough
def test_long_answers_do_not_depend_on_it_either(
    loaded: LoadedModel,
    pools: Callable[..., ClipPool],
    questions: list[Question],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mini model says a letter and stops: here the limit alone stops it, row by row."""
    monkeypatch.setattr(loaded.processor, "eos_token_ids", (1,))
    asked = [
        replace(question, max_new_tokens=3 + 2 * (number % 6)) for number, question in enumerate(questions)
    ]
    alone = answers(Engine(SlowFastVideoModel(loaded), pools(0), share=False).answer(asked))
    together = answers(Engine(SlowFastVideoModel(loaded), pools(2), batch_size=8).answer(asked))
    assert without_times(together) == without_times(alone)
    for question in asked:
        given = together[question.key]
        assert (given.new_tokens, given.finish_reason) == (question.max_new_tokens, "length")


def test_questions_come_video_by_video_whatever_the_order_of_tasks(
    model: CountingModel, pools: Callable[..., ClipPool], questions: list[Question]
) -> None:
    results = list(Engine(model, pools(), batch_size=3).answer(questions))
    clip_of = {question.key: question.clip for question in questions}
    asked = [clip_of[result.key] for result in results]
    first_asked = sorted(dict.fromkeys(clip_of.values()), key=lambda clip: clip is not None)
    assert asked == [clip for clip in first_asked for other in clip_of.values() if other == clip]


def test_times_of_a_video_are_shared_by_its_questions_and_those_of_a_batch_by_the_batch(
    model: CountingModel, pools: Callable[..., ClipPool], questions: list[Question]
) -> None:
    start = time.perf_counter()
    given = answers(Engine(model, pools(0), batch_size=4).answer(questions))
    wall_s = time.perf_counter() - start
    members = Counter(question.clip for question in questions)
    for question in questions:
        times = given[question.key].timings
        assert times.shared_by == (1 if question.clip is None else members[question.clip])
        assert (times.decode_s > 0) == (times.vision_s > 0) == (question.clip is not None)
        assert times.prefill_s > 0
    # Nothing is counted twice: what the questions took together is not more than the whole took.
    total_s = sum(answer.timings.per_question_s for answer in given.values())
    assert 0 < total_s <= wall_s


def test_a_question_alone_has_its_own_times() -> None:
    times = StageTimings(
        decode_s=1, preprocess_s=2, upload_s=3, vision_s=4, prefill_s=5, generate_s=6, batch_size=2,
        prefix_s=5, shared_by=3,
    )  # fmt: skip
    assert times.per_question_s == (1 + 2 + 3 + 4 + 5) / 3 + (5 + 6) / 2


@pytest.fixture
def bad(tmp_path: Path, questions: list[Question]) -> dict[FailureKind, Clip]:
    """Videos that cannot be shown: one that hangs its decoder, a damaged one, one that is not there."""
    good = questions[0].clip
    assert good is not None
    os.mkfifo(tmp_path / "hangs.mp4")
    (tmp_path / "damaged.mp4").write_bytes(good.path.read_bytes()[:3000])
    return {
        FailureKind.TIMEOUT: Clip(tmp_path / "hangs.mp4"),
        FailureKind.DECODE_ERROR: Clip(tmp_path / "damaged.mp4"),
        FailureKind.MISSING_MEDIA: Clip(tmp_path / "none.mp4"),
    }


@pytest.mark.parametrize(
    ("decoders", "share"),
    [(2, True), *(pytest.param(*one, marks=pytest.mark.thorough) for one in [(0, True), (2, False)])],
)
def test_a_video_that_cannot_be_shown_costs_its_own_questions_only(
    model: CountingModel,
    questions: list[Question],
    plain: dict[QuestionKey, Answer],
    bad: dict[FailureKind, Clip],
    decoders: int,
    share: bool,
) -> None:
    asked = list(questions)
    for number, (kind, clip) in enumerate(bad.items()):
        for copy in range(2):  # before and behind the others
            question = Question(QuestionKey(kind.value, copy), clip, "What?\nA. One.\nB. Two.", 8)
            asked.insert(number if copy else len(asked), question)
    with ClipPool(RULE, decoders=decoders, resize=model.resize, timeout_s=5.0) as pool:
        results = {
            result.key: result for result in Engine(model, pool, batch_size=8, share=share).answer(asked)
        }
    for kind, clip in bad.items():
        for copy in range(2):
            failed = results.pop(QuestionKey(kind.value, copy))
            assert isinstance(failed, Failure)
            assert failed.kind is kind
            assert str(clip.path) in failed.reason
    assert without_times(answers(results.values())) == without_times(plain)


@dataclass(frozen=True)
class NoSubtitles:
    """A prompt whose subtitle file turns out to be no text."""

    identity: str = "none"

    def text(self, times_s: Sequence[float]) -> str:
        raise DataError("film.srt, line 1 is no subtitle.")


Beside = Callable[[str | NoSubtitles, bool], tuple[Failure, dict[QuestionKey, Answer]]]


@pytest.fixture
def beside(
    model: CountingModel,
    pools: Callable[..., ClipPool],
    questions: list[Question],
    plain: dict[QuestionKey, Answer],
) -> Beside:
    """A prompt that fails among the questions about a video: its failure, and the others' answers as ever."""

    def ask(prompt: str | NoSubtitles, share: bool) -> tuple[Failure, dict[QuestionKey, Answer]]:
        video = next(question for question in questions if question.clip)
        asked = [question for question in questions if question.clip == video.clip]
        failing = Question(QuestionKey("failing", 0), video.clip, prompt, 8)
        engine = Engine(model, pools(), batch_size=8, share=share)
        results = {result.key: result for result in engine.answer([asked[0], failing, *asked[1:]])}
        failed = results.pop(failing.key)
        assert isinstance(failed, Failure)
        assert failed.kind is FailureKind.MODEL_ERROR
        given = answers(results.values())
        known = without_times(plain)
        assert without_times(given) == {question.key: known[question.key] for question in asked}
        return failed, given

    return ask


@pytest.mark.parametrize("share", [True, False])
def test_a_question_whose_subtitles_cannot_be_read_fails_alone(beside: Beside, share: bool) -> None:
    failed, given = beside(NoSubtitles(), share)
    assert "film.srt, line 1" in failed.reason
    # Who was not asked has no part in the times.
    assert {answer.timings.shared_by for answer in given.values()} == {len(given) if share else 1}


@pytest.mark.parametrize("share", [True, False])
def test_a_question_that_no_tokenizer_takes_fails_alone(
    beside: Beside, model: CountingModel, share: bool
) -> None:
    """Half of a surrogate pair, as JSON may hold it: what the others share is found without it."""
    _, given = beside("What is \ud83d?\nA. One.\nB. Two.", share)
    assert model.calls["encode"] == (1 if share else len(given) + 1)


def test_a_video_that_nobody_can_ask_about_is_not_encoded(
    model: CountingModel, pools: Callable[..., ClipPool], questions: list[Question]
) -> None:
    clip = next(question.clip for question in questions if question.clip)
    unreadable = Question(QuestionKey("unreadable", 0), clip, NoSubtitles(), 8)
    (failed,) = Engine(model, pools()).answer([unreadable])
    assert isinstance(failed, Failure)
    assert model.calls == {}


class NoLinesBetween(NoSubtitles):
    """Text between the frames whose file cannot be read."""

    film: str = "film.srt"

    def text(self, times_s: Sequence[float]) -> str:
        return "What?"

    def said(self, times_s: Sequence[float]) -> Sequence[Said]:
        raise DataError("film.srt, line 1 is no subtitle.")


def test_text_between_frames_that_cannot_be_read_is_the_files_fault_and_known_before_the_tower(
    model: CountingModel,
    pools: Callable[..., ClipPool],
    questions: list[Question],
    caplog: pytest.LogCaptureFixture,
) -> None:
    clip = next(question.clip for question in questions if question.clip)
    unreadable = [Question(QuestionKey("unreadable", row), clip, NoLinesBetween(), 8) for row in range(2)]
    failed = list(Engine(model, pools()).answer(unreadable))
    assert ["film.srt, line 1" in result.reason for result in failed if isinstance(result, Failure)] == [
        True
    ] * 2
    assert model.calls == {}
    assert not any(record.exc_info for record in caplog.records)


class FailingPool(ClipPool):
    """Raises `error`, which is no fault of the file, instead of one clip's pictures."""

    error: Exception
    at: Clip | None = None

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Any], None, None]:
        for clip, pictures in super().in_order(clips):
            if clip == self.at:
                raise self.error
            yield clip, pictures


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError("no room for the pictures"), FailureKind.OUT_OF_MEMORY),
        (ZeroDivisionError("a defect"), FailureKind.MODEL_ERROR),
    ],
)
def test_pictures_that_do_not_arrive_cost_their_own_questions(
    model: CountingModel,
    questions: list[Question],
    plain: dict[QuestionKey, Answer],
    error: Exception,
    kind: FailureKind,
) -> None:
    with FailingPool(RULE, decoders=1, resize=model.resize) as pool:
        pool.error, pool.at = error, questions[2].clip
        results = list(Engine(model, pool, batch_size=3).answer(questions))
    failed = {result.key: result for result in results if isinstance(result, Failure)}
    assert set(failed) == {question.key for question in questions if question.clip == questions[2].clip}
    assert {failure.kind for failure in failed.values()} == {kind}
    others = {key: answer for key, answer in plain.items() if key not in failed}
    assert without_times(answers(result for result in results if result.key not in failed)) == without_times(
        others
    )


@pytest.mark.parametrize(
    "error",
    [
        WorkerStartError("no decoder starts"),
        LoaderClosedError("closed"),
        torch.AcceleratorError("CUDA error: lost"),
    ],
)
def test_what_every_further_question_would_meet_ends_the_run(
    model: CountingModel, questions: list[Question], error: Exception
) -> None:
    with FailingPool(RULE, decoders=1, resize=model.resize) as pool:
        pool.error, pool.at = error, questions[0].clip
        with pytest.raises(type(error)):
            list(Engine(model, pool).answer(questions))


def test_a_model_that_cannot_share_prefixes_is_asked_whole_prompts(
    loaded: LoadedModel,
    model: CountingModel,
    pools: Callable[..., ClipPool],
    questions: list[Question],
    plain: dict[QuestionKey, Answer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its videos are encoded once all the same. (No layer slides here: nothing else changes.)"""
    monkeypatch.setattr(loaded.model.config, "use_sliding_window", True)
    given = answers(Engine(model, pools(), batch_size=3).answer(questions))
    assert without_times(given) == without_times(plain)
    assert model.calls["encode"] == VIDEOS


def test_an_iterator_that_is_closed_in_the_middle_leaves_nothing_behind(
    model: CountingModel, questions: list[Question]
) -> None:
    with ClipPool(RULE, decoders=2, resize=model.resize) as pool:
        results = Engine(model, pool, batch_size=2).answer(questions)
        next(results), next(results)
        results.close()  # type: ignore[attr-defined]
        for _ in range(3000):  # what was being decoded is done with, and nothing more is begun
            if pool.held_bytes == 0:
                break
            time.sleep(0.01)
        assert pool.held_bytes == 0
        pids = pool.worker_pids()
    assert pids
    assert [pid for pid in pids if is_alive(pid)] == []


def test_ctrl_c_while_a_batch_is_answered_leaves_no_process(
    model: CountingModel, questions: list[Question]
) -> None:
    model.ending = KeyboardInterrupt()
    given: list[Result] = []
    with ClipPool(RULE, decoders=2, resize=model.resize) as pool:
        with pytest.raises(KeyboardInterrupt):
            given.extend(iter(Engine(model, pool, batch_size=2).answer(questions)))
        pids = pool.worker_pids()
    assert pids
    assert [pid for pid in pids if is_alive(pid)] == []


def is_alive(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False
