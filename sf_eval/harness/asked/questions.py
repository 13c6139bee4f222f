"""`questions.jsonl`: what a run asks, a line a question; written before the first is asked, read when it is
wanted. In memory a question takes 48 bytes: where its line begins, the journal's key of its answer, and which
video it is about.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sf_eval.benchmarks.stored_documents import fields_of
from sf_eval.core import files
from sf_eval.core.errors import OutputError
from sf_eval.core.stored import LineFile, Stored, write_lines
from sf_eval.harness.asked.document import AskedDocument
from sf_eval.harness.looking.kept_questions import document_of, question_lines
from sf_eval.harness.recorded.samples import QuestionRecord
from sf_eval.inference import Question, QuestionKey

_DIGEST_BYTES = 32


class Digests(Sequence[str]):
    """SHA-256 digests in hexadecimal digits, 32 bytes each."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def append(self, digest: str) -> None:
        """Add one.

        Raises:
            ValueError: it is no SHA-256 digest.
        """
        value = bytes.fromhex(digest)
        if len(value) != _DIGEST_BYTES:
            raise ValueError(f"{digest!r} is no SHA-256 digest")
        self._bytes += value

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self._bytes[index * _DIGEST_BYTES : (index + 1) * _DIGEST_BYTES].hex()

    def __len__(self) -> int:
        return len(self._bytes) // _DIGEST_BYTES


@dataclass(frozen=True)
class QuestionTable:
    """The questions of a run by their position: in the order of tasks and rows, from 0.

    Attributes:
        digests: the journal's keys of their answers.
        tasks: the positions of each task's questions, whose rows are counted from 0.
    """

    documents: Sequence[AskedDocument]
    digests: Sequence[str]
    tasks: dict[str, range]

    def __len__(self) -> int:
        return len(self.digests)

    def key(self, position: int) -> QuestionKey:
        task, positions = next(item for item in self.tasks.items() if position in item[1])
        return QuestionKey(task, position - positions.start)

    def position(self, key: QuestionKey) -> int:
        """Where the question stands.

        Raises:
            KeyError: the run does not ask it.
        """
        positions = self.tasks[key.task]
        if not 0 <= key.index < len(positions):
            raise KeyError(key)
        return positions.start + key.index


@dataclass(frozen=True)
class AskedQuestions(QuestionTable):
    """The same, ready to be asked.

    Attributes:
        make: the question of a key.
        videos: the same number for questions that show the same, and so can share it.
    """

    make: Callable[[QuestionKey], Question]
    videos: Sequence[int]

    def question(self, position: int) -> Question:
        return self.make(self.key(position))

    def video(self, position: int) -> int:
        return self.videos[position]

    def by_video(self) -> Iterator[int]:
        """All positions, those about one video together; videos as they are first asked about."""
        _, first, video = np.unique(np.array(self.videos), return_index=True, return_inverse=True)
        return map(int, np.argsort(first[video], kind="stable"))


@dataclass
class _Columns:
    """What is kept in memory, while lines are written or read."""

    digests: Digests = field(default_factory=Digests)
    tasks: dict[str, range] = field(default_factory=dict)

    def add(self, task: str, index: int, digest: str) -> None:
        """Take the next question in.

        Raises:
            ValueError: a row is left out, or its task was left before.
        """
        position = len(self.digests)
        positions = self.tasks.setdefault(task, range(position, position))
        if index != len(positions) or positions.stop != position:
            raise ValueError(f"row {index} of {task} is not the next one")
        self.digests.append(digest)
        self.tasks[task] = range(positions.start, position + 1)


def write_questions(
    path: Path,
    asked: Iterable[tuple[AskedDocument, Question]],
    *,
    digest_of: Callable[[Question], str],
    make: Callable[[QuestionKey], Question],
) -> AskedQuestions:
    """Write `questions.jsonl`.

    Args:
        asked: in the order of tasks and rows, none left out.
        digest_of: gives the journal's key of the answer.
        make: makes the question of a key again.

    Raises:
        OutputError: it cannot be written.
    """
    columns, videos = _Columns(), array("q")

    def lines() -> Iterator[bytes]:
        for document, question in asked:
            digest = digest_of(question)
            columns.add(document.key.task, document.key.index, digest)
            # A number that two videos have by chance costs the sharing of their work, and no answer.
            # One without a clip has no work to share: it is a video of its own.
            videos.append(hash((question.clip, question.film)) if question.clip else len(videos))
            yield (
                QuestionRecord(
                    task=document.key.task,
                    digest=digest,
                    document=fields_of(document.document),
                    kind=document.kind,
                    change=document.change,
                )
                .model_dump_json()
                .encode()
            )

    with files.replacing(path) as stream:
        starts = write_lines(stream, lines())
        documents = Stored(LineFile.of(stream), starts, _asked_document)
    return AskedQuestions(documents, columns.digests, columns.tasks, make, videos)


def read_questions(path: Path) -> QuestionTable:
    """What a run asked.

    Raises:
        OutputError: it cannot be read, is damaged or of another version.
    """
    columns, starts = _Columns(), array("q")
    try:
        for start, line in question_lines(path):
            columns.add(line.task, document_of(line).index, line.digest)
            starts.append(start)
        documents = Stored(LineFile(path), starts, _asked_document)
    except (OSError, TypeError, ValueError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged, or of another version"
        raise OutputError(f"{path} cannot be read: {reason}.") from error
    return QuestionTable(documents, columns.digests, columns.tasks)


def _asked_document(data: bytes) -> AskedDocument:
    line = QuestionRecord.model_validate_json(data)
    document = document_of(line)
    return AskedDocument(QuestionKey(line.task, document.index), document, line.kind, line.change)
