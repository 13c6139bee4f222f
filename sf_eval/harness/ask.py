"""Questions of all tasks go to the engine, answers into the journal. Knows no score.

Nothing that was answered is asked again: what the journal holds under a question's digest is its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from sf_eval.harness.asked.results import KeptResults, Keys
from sf_eval.harness.journal import Journal
from sf_eval.harness.settings import FailurePolicy
from sf_eval.harness.stopped import BrokenRunError, InterruptedRunError, StoppedError, TooManyFailuresError
from sf_eval.inference import Failure, FailureKind, Question, QuestionKey, Result
from sf_eval.inference.grouping import ends_everything


class Answering(Protocol):
    """What asking needs of an engine: one result per question, in any order, as soon as there is one."""

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]: ...


class Questions(Keys, Protocol):
    """What is asked, by position; a question is made when its turn comes."""

    def question(self, position: int) -> Question: ...
    def video(self, position: int) -> int:
        """The same number for questions that can share what is done to their video."""

    def by_video(self) -> Iterable[int]:
        """All positions, those about one video together."""


class Watcher(Protocol):
    """Whoever shows progress."""

    def result(self, result: Result, *, resumed: bool) -> None: ...


@dataclass(frozen=True)
class Asked:
    """What asking gave.

    Attributes:
        results: of every question that has one; without those that a stopped run did not come to.
        resumed: how many of them are answers of earlier processes.
        stopped: why the run ended before its end, or None.
    """

    results: Mapping[QuestionKey, Result]
    resumed: int = 0
    stopped: StoppedError | None = None


def ask(
    questions: Questions,
    engine: Answering,
    journal: Journal,
    *,
    watcher: Watcher,
    failures: FailurePolicy,
    at_once: int | None = None,
) -> Asked:
    """Ask every question that the journal holds no answer to; each result is on disk before the next.

    Args:
        questions: their digests are the journal's keys (`identity.digest_of`).
        failures: how many samples may fail before the run stops; a fraction is of all `questions`.
        at_once: how many questions, and the rest of their last video, the engine is handed at a time; None
            for all. While it answers, it holds them.

    Raises:
        OutputError: the journal cannot be written.
    """
    asking = _Asking(questions, journal, watcher, failures, KeptResults(questions, journal.results))
    try:
        asking.take_recorded()
        asking.ask_the_rest(engine, at_once)
    except KeyboardInterrupt:
        stopped: StoppedError = interrupted(journal, len(asking.results), len(questions.digests))
    except TooManyFailuresError as error:
        stopped = error
    except Exception as error:
        if not ends_everything(error):
            raise
        stopped = broken(journal, len(asking.results), len(questions.digests), error)
    else:
        return Asked(asking.results, asking.resumed)
    asking.take_old_failures()
    return Asked(asking.results, asking.resumed, stopped)


def interrupted(journal: Journal, answered: int, total: int) -> InterruptedRunError:
    """What to say on Ctrl-C while questions are asked."""
    return InterruptedRunError(
        f"interrupted after {answered} of {total} questions; every answer is kept in {journal.path.parent}.",
        hint="Run the same command again to go on.",
    )


def broken(journal: Journal, answered: int, total: int, error: Exception) -> BrokenRunError:
    """What to say where no further question can be answered."""
    return BrokenRunError(
        f"the run cannot go on after {answered} of {total} questions: {type(error).__name__}: {error}",
        hint=f"Every answer is kept in {journal.path.parent}: run the same command again to go on.",
    )


@dataclass
class _Asking:
    questions: Questions
    journal: Journal
    watcher: Watcher
    failures: FailurePolicy
    results: KeptResults
    resumed: int = 0
    failed: int = 0

    def take_recorded(self) -> None:
        for position, digest in enumerate(self.questions.digests):
            if self.journal.results.is_answer(digest):
                self.resumed += 1
                self.results.add(position)
                self.watcher.result(self.results[self.questions.key(position)], resumed=True)

    def ask_the_rest(self, engine: Answering, at_once: int | None) -> None:
        """Ask what has no result yet.

        Raises:
            TooManyFailuresError: the run's policy says to stop.
        """
        for portion in self._portions(at_once):
            for result in engine.answer(portion):
                position = self.questions.position(result.key)
                self.journal.append(self.questions.digests[position], result)
                self.results.add(position)
                self.watcher.result(result, resumed=False)
                self._count(result)

    def _portions(self, at_once: int | None) -> Iterator[list[Question]]:
        """The questions without a result, no video divided among two portions.

        Last, and apart, come those that workers died on in an earlier process: what they do to this one keeps
        no other question from its answer.
        """
        deadly: list[int] = []
        yield from self._divided(self._but_deadly(deadly), at_once)
        yield from self._divided(deadly, at_once)

    def _but_deadly(self, deadly: list[int]) -> Iterator[int]:
        for position in self.questions.by_video():
            if self.results.has(position):
                continue
            before = self.journal.last(self.questions.digests[position])
            if isinstance(before, Failure) and before.kind is FailureKind.WORKER_LOST:
                deadly.append(position)
            else:
                yield position

    def _divided(self, positions: Iterable[int], at_once: int | None) -> Iterator[list[Question]]:
        portion: list[Question] = []
        last: int | None = None
        for position in positions:
            video = self.questions.video(position)
            if at_once is not None and len(portion) >= at_once and video != last:
                yield portion
                portion = []
            portion.append(self.questions.question(position))
            last = video
        if portion:
            yield portion

    def take_old_failures(self) -> None:
        """What failed in an earlier process, and was not come to again, still has that result."""
        self.results.add_kept()

    def _count(self, result: Result) -> None:
        if not isinstance(result, Failure):
            return
        self.failed += 1
        total = len(self.questions.digests)
        if self.failures.exceeded(self.failed, total):
            raise TooManyFailuresError(
                f"{self.failed} of {total} samples failed, more than --fail-on-error accepts; "
                f"the last: {result.key} ({result.kind.value}): {result.reason}",
                hint=f"What was answered is kept in {self.journal.path.parent}: mend the cause and run the "
                "same command again to go on.",
            )
