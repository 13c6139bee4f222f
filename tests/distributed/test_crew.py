"""What a crew does when its workers die: decided without Ray, by a stand-in whose workers die when told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sf_eval import __version__
from sf_eval.core.cards import card_for
from sf_eval.core.errors import CheckpointError
from sf_eval.core.resize import Resize
from sf_eval.harness.ask import Asked, ask
from sf_eval.harness.distributed.alike import WorkersDifferError
from sf_eval.harness.distributed.crew import MOST_DEADLY, MOST_RESTARTS, Crew, NoWorkerLeftError
from sf_eval.harness.distributed.decode_task import DecodeSetup, decoded
from sf_eval.harness.distributed.decoding import DecodeAhead
from sf_eval.harness.distributed.schedule import MOST_LOSSES, Schedule
from sf_eval.harness.distributed.work import (
    Hello,
    Load,
    Place,
    VideoWork,
    WorkerReport,
    WorkerSetup,
    videos_of,
)
from sf_eval.harness.facts import ModelReport
from sf_eval.harness.identity import ModelIdentity
from sf_eval.harness.journal import Journal
from sf_eval.harness.record import ModelRecord
from sf_eval.harness.settings import FailurePolicy
from sf_eval.harness.stopped import BrokenRunError
from sf_eval.inference import Answer, Failure, FailureKind, Question, QuestionKey, Result
from sf_eval.inference.question import StageTimings
from sf_eval.video import Clip, SamplingRule, WorkerStartError

IDENTITY = ModelIdentity(
    weights_digest="a" * 64, slow_path="on", decode_slow_attention=True, dtype="bfloat16", attn="sdpa",
    device_type="cuda", sampling="published", num_frames=64, target_fps=2.0, video_backend="pyav",
    prompt_format="qwen", libraries="torch=2.9",
)  # fmt: skip


def hello(torch: str = "2.9") -> Hello:
    versions = {"sf-eval": __version__, "torch": torch}
    model = ModelReport(ModelRecord.model_construct(), IDENTITY, 1, versions, None, {}, ())
    return Hello(Place("node1", "H100", 1), model, 1, Resize(384))


def questions(count: int) -> list[Question]:
    """One about each of so many videos, asked in this order."""
    return [
        Question(QuestionKey("videomme", number), Clip(Path(f"{number}.mp4")), "What?", 16)
        for number in range(count)
    ]


class RayError(Exception):
    """As ray.exceptions.RayError: a worker or what leads to it is gone."""


class RayTaskError(RayError):
    """As Ray's: what was raised elsewhere."""

    def __init__(self, cause: Exception) -> None:
        super().__init__("ray::somewhere() (pid=1)\n  Traceback")
        self.cause = cause


class Reference:
    """A value, or an error, that is there as soon as `is_ready` says so."""

    def __init__(self, value: Callable[[], Any], is_ready: Callable[[], bool] = lambda: True) -> None:
        self.value, self.is_ready = value, is_ready


@dataclass
class StandInWorker:
    """Answers one question at a time and dies on those that are deadly."""

    deadly: set[int]
    says: Callable[[], Hello]
    given: list[VideoWork] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hello = SimpleNamespace(remote=lambda: Reference(self.says))
        self.take = SimpleNamespace(remote=lambda: Reference(self._report, lambda: bool(self.given)))
        self.give = SimpleNamespace(remote=self.given.extend)

    def _report(self) -> WorkerReport:
        keys = [question.key for question in self.given.pop(0).questions]
        if self.deadly & {key.index for key in keys}:
            raise RayError("The worker died.\nAnd more.")
        return WorkerReport(tuple(answer_to(key) for key in keys), Load())


def answer_to(key: QuestionKey) -> Answer:
    return Answer(key, "What?", "A", 1, (0,), 1, 1, 1, 1, "stop", StageTimings(0, 0, 0, 0, 0, 0, 1))


class StandInRay:
    """What the crew uses of Ray, in this process.

    Args:
        hellos: what the workers say, in the order in which they are started; the last one again and again.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, deadly: set[int], hellos: Sequence[Hello | Exception]) -> None:
        self.deadly, self.hellos = deadly, list(hellos)
        self.started = 0
        self.is_gone = False

    def remote(self, _: type) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._start))

    def _start(self, *_: object) -> StandInWorker:
        said = self.hellos[min(self.started, len(self.hellos) - 1)]
        self.started += 1

        def say() -> Hello:
            if isinstance(said, Exception):
                raise said
            return said

        return StandInWorker(self.deadly, say)

    def wait(self, references: Sequence[Reference], **_: Any) -> tuple[list[Reference], list[Reference]]:
        return [reference for reference in references if reference.is_ready()], []

    def get(self, reference: Reference) -> Any:
        return reference.value()

    def kill(self, _: StandInWorker) -> None:
        if self.is_gone:
            raise RayError("Ray is not there any more.")


class Silent:
    def stage(self, text: str) -> None: ...
    def workers(self, status: object) -> None: ...


@dataclass
class Crewed:
    crew: Crew
    ray: StandInRay
    results: list[Result] = field(default_factory=list)

    def ask(self, count: int) -> None:
        for result in self.crew.answer(questions(count)):
            self.results.append(result)

    @property
    def failed(self) -> set[int]:
        return {result.key.index for result in self.results if isinstance(result, Failure)}

    @property
    def answered(self) -> set[int]:
        return {result.key.index for result in self.results if isinstance(result, Answer)}


LOST_GPU = CheckpointError("cuda:0 is not there.")


class Listed:
    """Questions in their order, each about a video of its own."""

    def __init__(self, asked: Sequence[Question]) -> None:
        self._asked = asked
        self.digests = [f"digest {question.key.index}" for question in asked]

    def key(self, position: int) -> QuestionKey:
        return self._asked[position].key

    def position(self, key: QuestionKey) -> int:
        return key.index

    def question(self, position: int) -> Question:
        return self._asked[position]

    def video(self, position: int) -> int:
        return position

    def by_video(self) -> range:
        return range(len(self._asked))


class Recorded:
    """A crew, and what it answered in this process."""

    def __init__(self, run: Crewed) -> None:
        self.run = run

    def answer(self, asked: Iterable[Question]) -> Iterator[Result]:
        for result in self.run.crew.answer(asked):
            self.run.results.append(result)
            yield result


def resumed(asked: Listed, run: Crewed, folder: Path) -> Asked:
    """Ask what the folder's journal has no answer to."""
    run.crew.start()
    watcher = SimpleNamespace(result=lambda result, *, resumed: None)
    with Journal(folder / "journal.jsonl") as journal:
        given = ask(asked, Recorded(run), journal, watcher=watcher, failures=FailurePolicy())
        return Asked(dict(given.results), given.resumed, given.stopped)


DECODE = DecodeSetup(SamplingRule("uniform", 8), "pyav", 60.0, True, 1)
SETUP = WorkerSetup(card_for("mini"), "cpu", "float32", "sdpa", 0, 1, True, DECODE, 1)


@pytest.fixture
def crewed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Crewed]:
    def make(count: int, deadly: Sequence[int] = (), hellos: Sequence[Hello | Exception] = ()) -> Crewed:
        ray = StandInRay(set(deadly), hellos or [hello()])
        monkeypatch.setitem(sys.modules, "ray", ray)  # type: ignore[arg-type]
        crew = Crew(
            SETUP, count=count, gpus=0, cpus=1, decode_tasks=0, duration_of=lambda _: 1.0, watcher=Silent()
        )
        return Crewed(crew, ray)

    return make


def test_many_deadly_videos_with_answers_between_them_end_no_run(crewed: Callable[..., Crewed]) -> None:
    run = crewed(1, deadly=[1, 6, 11, 16])
    run.crew.start()
    run.ask(20)
    assert run.failed == {1, 6, 11, 16}
    assert run.answered == set(range(20)) - run.failed
    assert run.ray.started == 1 + 4 * MOST_LOSSES


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("deadly", [[0, 1], [0, 1, 2], range(6), [*range(2, 9), *range(12, 20), 25]])
def test_deadly_videos_one_after_the_other_end_no_run(
    crewed: Callable[..., Crewed], deadly: Sequence[int], workers: int
) -> None:
    run = crewed(workers, deadly=deadly)
    run.crew.start()
    run.ask(30)
    assert run.failed == set(deadly)
    assert run.answered == set(range(30)) - run.failed
    assert len(run.results) == 30
    assert {result.kind for result in run.results if isinstance(result, Failure)} == {FailureKind.WORKER_LOST}


def test_where_nothing_is_ever_answered_the_run_stops_and_what_failed_is_told(
    crewed: Callable[..., Crewed],
) -> None:
    run = crewed(1, deadly=range(50))
    run.crew.start()
    says = rf"no answer yet and {MOST_DEADLY} deadly videos: no worker is left; the last one lost was "
    with pytest.raises(NoWorkerLeftError, match=says + "worker 0 on node1: The worker died"):
        run.ask(50)
    assert run.answered == set()
    reasons = [result.reason for result in run.results if isinstance(result, Failure)]
    settled = [reason for reason in reasons if reason.startswith(f"{MOST_LOSSES} workers died")]
    assert len(settled) == MOST_DEADLY
    others = set(reasons) - set(settled)
    assert len(run.failed) == len(reasons) < 50  # what was asked and killed; the others have no result
    assert all("none is left to ask it again" in reason for reason in others)
    losses = run.crew.tallies[0].record(0).lost
    assert len(losses) == run.ray.started


def test_what_killed_the_last_worker_is_known_to_whoever_resumes(
    crewed: Callable[..., Crewed], tmp_path: Path
) -> None:
    """Two deadly videos come first, and one restart is all there is: the second run answers all others."""
    asked = Listed(questions(20))
    stopped = crewed(1, deadly=[0, 1], hellos=[hello(), RayTaskError(LOST_GPU)])
    given = resumed(asked, stopped, tmp_path)
    assert isinstance(given.stopped, BrokenRunError)
    assert "no worker is left; the last one lost was worker 0" in given.stopped.message
    assert {key.index for key in given.results} == {0, 1}
    once_more = crewed(1, deadly=[0, 1])
    given = resumed(asked, once_more, tmp_path)
    assert given.stopped is None
    assert [result.key.index for result in once_more.results] == [*range(2, 20), 0, 1]
    assert once_more.failed == {0, 1}


def test_when_the_last_worker_dies_of_the_last_question_the_run_is_over_all_the_same(
    crewed: Callable[..., Crewed],
) -> None:
    run = crewed(1, deadly=[0])
    run.crew.start()
    run.ask(1)
    assert run.failed == {0}


def test_a_worker_that_cannot_start_anew_leaves_the_others_at_work(
    crewed: Callable[..., Crewed],
) -> None:
    run = crewed(2, deadly=[0], hellos=[hello(), hello(), LOST_GPU])
    run.crew.start()
    with pytest.raises(NoWorkerLeftError):  # both of them die of the same question, and none comes up again
        run.ask(40)
    run = crewed(2, deadly=[0], hellos=[hello(), hello(), RayTaskError(LOST_GPU), hello()])
    run.crew.start()
    run.ask(40)
    assert run.failed == {0}
    assert run.answered == set(range(1, 40))
    lost = [cause for number, tally in enumerate(run.crew.tallies) for cause in tally.record(number).lost]
    assert any("CheckpointError: cuda:0 is not there." in cause for cause in lost)


def test_what_a_worker_cannot_load_at_the_start_ends_the_run_with_its_own_error(
    crewed: Callable[..., Crewed],
) -> None:
    with pytest.raises(CheckpointError, match="cuda:0"):
        crewed(2, hellos=[hello(), RayTaskError(LOST_GPU)]).crew.start()


def test_a_worker_that_is_not_like_the_others_ends_the_run_also_later(crewed: Callable[..., Crewed]) -> None:
    run = crewed(1, deadly=[3], hellos=[hello(), hello(torch="2.8")])
    run.crew.start()
    with pytest.raises(WorkersDifferError, match=r"torch"):
        run.ask(6)
    assert run.answered == {0, 1, 2}


def test_workers_that_die_while_they_start_end_the_run(crewed: Callable[..., Crewed]) -> None:
    run = crewed(2, hellos=[RayError("out of memory")])
    with pytest.raises(NoWorkerLeftError, match="out of memory"):
        run.crew.start()
    assert run.ray.started == 2 * (1 + MOST_RESTARTS)


def test_a_ray_that_is_gone_does_not_hide_why_the_run_ended(crewed: Callable[..., Crewed]) -> None:
    run = crewed(2)
    run.crew.start()
    run.ray.is_gone = True
    run.crew.close()


class StandInTasks:
    """Ray for decode tasks: each is done at once, the first one with an error."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, error: Exception) -> None:
        self.outcomes: list[Exception | None] = [error]

    def remote(self, _: Callable[..., object]) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._start))

    def _start(self, *_: object) -> tuple[Reference, Reference]:
        error = self.outcomes.pop(0) if self.outcomes else None
        return Reference(lambda: None), Reference(lambda: error)

    def get(self, reference: Reference) -> Any:
        if isinstance(error := reference.value(), Exception):
            raise error


def finishing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> tuple[DecodeAhead, Schedule]:
    monkeypatch.setitem(sys.modules, "ray", StandInTasks(error))  # type: ignore[arg-type]
    schedule = Schedule(videos_of(questions(3), lambda _: 1.0), workers=1)
    decoding = DecodeAhead(DECODE, None, tasks=1, ahead=1)
    decoding.fill(schedule)
    return decoding, schedule


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RayTaskError(TypeError("an error that cannot travel")), "TypeError: an error that cannot travel"),
        (RayError("The task's worker died.\nAnd more."), "died: The task's worker died."),
    ],
)
def test_a_decode_task_that_fails_costs_its_own_video(
    monkeypatch: pytest.MonkeyPatch, error: Exception, says: str
) -> None:
    decoding, schedule = finishing(monkeypatch, error)
    number, cause = decoding.finished(decoding.waited_for[0])
    assert cause.endswith(says)
    assert [failure.key.index for failure in schedule.give_up(number, cause)] == [number]
    decoding.fill(schedule)
    assert decoding.finished(decoding.waited_for[0]) == (number + 1, "")


def test_where_no_decoder_starts_the_run_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    decoding, _ = finishing(monkeypatch, RayTaskError(WorkerStartError("no decoder")))
    with pytest.raises(WorkerStartError, match="no decoder"):
        decoding.finished(decoding.waited_for[0])


def test_a_decoders_own_error_is_handed_on_like_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def out_of_memory(*_: object) -> None:
        raise MemoryError("no room for the pictures")

    monkeypatch.setattr("sf_eval.video.loader.ClipLoader.load", out_of_memory)
    outcome, is_done = decoded(Clip(Path("0.mp4")), DECODE, None)
    assert isinstance(outcome, MemoryError)
    assert is_done
