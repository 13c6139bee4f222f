"""Between lmms-eval's requests and the engine: nothing that was answered is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from sf_eval.core import provenance as environment
from sf_eval.core.errors import SfEvalError
from sf_eval.harness.journal import Journal, digest_of
from sf_eval.harness.settings import FailurePolicy
from sf_eval.inference import Answer, Failure, Question
from sf_eval.inference.engine import Engine
from sf_eval.video import Clip

# Raise when a change of ours changes what the same model answers to the same question.
ANSWER_PROTOCOL = 1

_THAT_ANSWER = (
    "torch", "transformers", "timm", "tokenizers", "av", "decord", "torchcodec", "pillow", "flash-attn",
)  # fmt: skip

Result = Answer | Failure


class StoppedError(SfEvalError):
    """The run ended before its end; what was answered is in the journal."""


class TooManyFailuresError(StoppedError):
    """`--fail-on-error` was exceeded."""

    exit_code = 1


class InterruptedRunError(StoppedError):
    """Ctrl-C."""

    exit_code = 130


class Watcher(Protocol):
    """Whoever shows progress."""

    def result(self, result: Result, *, resumed: bool) -> None: ...


@dataclass(frozen=True)
class ModelIdentity:
    """What of the model and the machine determines an answer."""

    weights_digest: str
    slow_path: str
    decode_slow_attention: bool
    dtype: str
    attn: str
    device_type: str
    sampling: str
    num_frames: int
    target_fps: float
    video_backend: str
    prompt_format: str
    libraries: str


def libraries_that_answer() -> str:
    """Versions of what decodes, resizes, tokenises and computes: with others an answer may differ."""
    names = (
        "torch",
        "transformers",
        "timm",
        "tokenizers",
        "av",
        "decord",
        "torchcodec",
        "pillow",
        "flash-attn",
    )
    found = environment.versions()
    return " ".join(f"{name}={found[name]}" for name in names if name in found)


class JournaledAnswers:
    """Answers from the journal where there are any, else from the engine, recorded at once.

    Args:
        total: questions of the whole run, for a failure policy given as a fraction.

    Attributes:
        resumed: answers taken from the journal.
        given: every question that has a result by now, with it, by its key.
    """

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        identity: ModelIdentity,
        *,
        max_new_tokens: int,
        watcher: Watcher,
        failures: FailurePolicy,
        total: int,
    ) -> None:
        self.engine = engine
        self.journal = journal
        self.identity = identity
        self.max_new_tokens = max_new_tokens
        self.watcher = watcher
        self.failures = failures
        self.total = total
        self.failed = 0
        self.resumed = 0
        self.given: dict[str, tuple[Question, Result]] = {}

    def __call__(self, questions: list[Question]) -> Iterator[Result]:
        """Results in any order; every question has exactly one.

        Raises:
            TooManyFailuresError: the run's policy says to stop.
        """
        open_questions: list[Question] = []
        digests: dict[str, str] = {}
        by_key = {question.key: question for question in map(self._limited, questions)}
        for question in by_key.values():
            digests[question.key] = digest_of(self._determinants(question))
            recorded = self.journal.get(digests[question.key])
            if recorded is None:
                open_questions.append(question)
                continue
            self.resumed += 1
            recorded = replace(recorded, key=question.key)  # its row may have another number by now
            self.given[question.key] = question, recorded
            self.watcher.result(recorded, resumed=True)
            yield recorded
        for result in self.engine.answer(open_questions):
            self.journal.append(digests[result.key], result)
            self.given[result.key] = by_key[result.key], result
            self.watcher.result(result, resumed=False)
            self._count(result)
            yield result

    def _count(self, result: Result) -> None:
        if not isinstance(result, Failure):
            return
        self.failed += 1
        if self.failures.exceeded(self.failed, self.total):
            raise TooManyFailuresError(
                f"{self.failed} of {self.total} samples failed, more than --fail-on-error accepts; "
                f"the last: {result.key} ({result.kind.value}): {result.reason}",
                hint=f"What was answered is kept in {self.journal.path.parent}: mend the cause and run the "
                "same command again to go on.",
            )

    def _limited(self, question: Question) -> Question:
        """The card's limit of new tokens goes before the task's."""
        if not self.max_new_tokens:
            return question
        return replace(question, max_new_tokens=self.max_new_tokens)

    def _determinants(self, question: Question) -> dict[str, Any]:
        return {
            "protocol": ANSWER_PROTOCOL,
            "model": vars(self.identity),
            "question": question.identity,
            "prompt": question.prompt,
            "video": _file_identity(question.clip),
            "generation": {"do_sample": False, "max_new_tokens": question.max_new_tokens},
        }


def _file_identity(clip: Clip | None) -> dict[str, Any] | None:
    """Size and modification time of the video (of every frame, for a folder), and the part shown.

    Not its path: a data directory that was moved is the same data.
    """
    if clip is None:
        return None
    return {
        "name": clip.path.name,
        "files": _stats(clip.path),
        "part": [clip.start_s, clip.end_s, clip.fps],
    }


def _stats(path: Path) -> list[Any] | None:
    try:
        if path.is_dir():
            return [[entry.name, *_stat(entry)] for entry in sorted(path.iterdir())]
        return _stat(path)
    except OSError:
        return None  # missing: the engine will say so


def _stat(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]
