"""Questions of all tasks go to the engine, answers into the journal. Knows no score.

Nothing that was answered is asked again: what the journal holds under a question's digest is its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from sf_eval.harness.journal import Journal
from sf_eval.harness.settings import FailurePolicy
from sf_eval.harness.stopped import BrokenRunError, InterruptedRunError, StoppedError, TooManyFailuresError
from sf_eval.inference import Failure, Question, QuestionKey, Result
from sf_eval.inference.grouping import ends_everything


class Answering(Protocol):
    """What asking needs of an engine: one result per question, in any order, as soon as there is one."""

    def answer(self, questions: Iterable[Question]) -> Iterator[Result]: ...


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
    questions: Mapping[str, Question],
    engine: Answering,
    journal: Journal,
    *,
    watcher: Watcher,
    failures: FailurePolicy,
) -> Asked:
    """Ask every question that the journal holds no answer to; each result is on disk before the next.

    Args:
        questions: by digest (`identity.digest_of`).
        failures: how many samples may fail before the run stops; a fraction is of all `questions`.

    Raises:
        OutputError: the journal cannot be written.
    """
    asking = _Asking(questions, journal, watcher, failures)
    try:
        asking.take_recorded()
        asking.ask_the_rest(engine)
    except KeyboardInterrupt:
        stopped: StoppedError = interrupted(journal, len(asking.results), len(questions))
    except TooManyFailuresError as error:
        stopped = error
    except Exception as error:
        if not ends_everything(error):
            raise
        stopped = broken(journal, len(asking.results), len(questions), error)
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
    questions: Mapping[str, Question]
    journal: Journal
    watcher: Watcher
    failures: FailurePolicy
    results: dict[QuestionKey, Result] = field(default_factory=dict)
    resumed: int = 0
    failed: int = 0

    def take_recorded(self) -> None:
        for digest, question in self.questions.items():
            if (recorded := self.journal.get(digest)) is not None:
                self.resumed += 1
                # Its row may have another number by now.
                self.results[question.key] = replace(recorded, key=question.key)
                self.watcher.result(self.results[question.key], resumed=True)

    def ask_the_rest(self, engine: Answering) -> None:
        """Ask what has no result yet.

        Raises:
            TooManyFailuresError: the run's policy says to stop.
        """
        digests = {
            question.key: digest
            for digest, question in self.questions.items()
            if question.key not in self.results
        }
        open_questions: Sequence[Question] = [self.questions[digest] for digest in digests.values()]
        for result in engine.answer(open_questions):
            self.journal.append(digests[result.key], result)
            self.results[result.key] = result
            self.watcher.result(result, resumed=False)
            self._count(result)

    def take_old_failures(self) -> None:
        """What failed in an earlier process, and was not come to again, still has that result."""
        for digest, question in self.questions.items():
            if question.key not in self.results and (old := self.journal.last(digest)) is not None:
                self.results[question.key] = replace(old, key=question.key)

    def _count(self, result: Result) -> None:
        if not isinstance(result, Failure):
            return
        self.failed += 1
        total = len(self.questions)
        if self.failures.exceeded(self.failed, total):
            raise TooManyFailuresError(
                f"{self.failed} of {total} samples failed, more than --fail-on-error accepts; "
                f"the last: {result.key} ({result.kind.value}): {result.reason}",
                hint=f"What was answered is kept in {self.journal.path.parent}: mend the cause and run the "
                "same command again to go on.",
            )
