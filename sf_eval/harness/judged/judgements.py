"""`judgements.jsonl`: what judges said, a line each, on disk before the next is waited for.

Lines are those of the journal (CRC-32 and JSON), keyed by a digest of everything that determines a verdict.
A failure is a line, too, so that a run recorded anew tells it; but only a verdict is never asked for again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Document
from sf_eval.core.errors import OutputError
from sf_eval.core.files import output_error
from sf_eval.harness.identity import canonical_json
from sf_eval.harness.journal import line_of, payload_of, write_all
from sf_eval.harness.record import JudgeRecord
from sf_eval.inference import Answer, QuestionKey, Result
from sf_eval.scoring.settling import Judgement

JUDGEMENTS = "judgements.jsonl"
SCHEMA = 1


@dataclass(frozen=True)
class JudgeName:
    """A judge, as it determines verdicts and as tables name it."""

    model: str
    base_url: str
    prompt: str
    prompt_digest: str

    def key(self, document: Document, output: str) -> str:
        """SHA-256 of what is asked about a model's words, and of which model. What a server serves by that
        name is another matter: verdicts are kept by address and key."""
        determinants = {
            "model": self.model,
            "prompt": self.prompt_digest,
            "question": document.asked_of_judge or document.question,
            "references": list(document.references),
            "output": output,
        }
        return hashlib.sha256(canonical_json(determinants).encode()).hexdigest()


@dataclass
class Judgements:
    """What a run's folder holds of judgements.

    Attributes:
        by_key: the judgement under each judge's address and key: the last verdict, else the last failure.
        last: by the prompt's name, the judge that was asked last.
    """

    by_key: dict[tuple[str, str], Judgement] = field(default_factory=dict)
    last: dict[str, JudgeName] = field(default_factory=dict)

    def add(self, key: str, judge: JudgeName, judgement: Judgement) -> None:
        """Take a judgement in; an empty key only names the judge."""
        self.last[judge.prompt] = judge
        if key and (judgement.right is not None or not self.has_verdict(key, judge)):
            self.by_key[judge.base_url, key] = judgement

    def get(self, key: str, judge: JudgeName) -> Judgement | None:
        return self.by_key.get((judge.base_url, key))

    def has_verdict(self, key: str, judge: JudgeName) -> bool:
        """Whether the judge said right or wrong; a failure is asked about again."""
        judgement = self.get(key, judge)
        return judgement is not None and judgement.right is not None


@dataclass(frozen=True)
class JudgedTask:
    """What one task's answers were judged by, and how.

    Attributes:
        by_row: by the question's row.
    """

    judge: JudgeRecord
    by_row: Mapping[int, Judgement]


def read_judgements(folder: Path) -> Judgements:
    """What judges said; nothing where none was asked. A last line that is cut off is left out.

    Raises:
        OutputError: the file cannot be read.
    """
    found = Judgements()
    try:
        with (folder / JUDGEMENTS).open("rb") as lines:
            for key, judge, judgement in _parsed(lines):
                found.add(key, judge, judgement)
    except FileNotFoundError:
        return found
    except OSError as error:
        raise OutputError(f"cannot read {folder / JUDGEMENTS}: {error.strerror or error}.") from error
    return found


def judged_tasks(
    folder: Path, asked: Iterable[tuple[QuestionKey, Document]], results: Mapping[QuestionKey, Result]
) -> dict[str, JudgedTask]:
    """What the last judge said of each task's answers, by task; without tasks that no judge was asked about.

    Raises:
        OutputError: as `read_judgements`.
    """
    kept = read_judgements(folder)
    if not kept.last:
        return {}
    rows: dict[str, dict[int, Judgement]] = {}
    judges: dict[str, JudgeName] = {}
    for key, document in asked:
        result = results.get(key)
        judge = kept.last.get(catalog.get_benchmark(key.task).judge_prompt)
        if judge is None or not isinstance(result, Answer):
            continue
        judges[key.task] = judge
        judgement = kept.get(judge.key(document, result.text), judge)
        if judgement is not None:
            rows.setdefault(key.task, {})[document.index] = judgement
    return {task: JudgedTask(JudgeRecord(**asdict(judges[task])), found) for task, found in rows.items()}


class JudgementsFile:
    """Appends to a folder's judgements; made if missing. Opening it cuts off what a kill left half-written.

    Raises:
        OutputError: the file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JUDGEMENTS
        self.kept = read_judgements(folder)
        try:
            self._stream = self.path.open("a+b", buffering=0)
            whole = _whole_bytes(self.path)
            if whole < self._stream.seek(0, os.SEEK_END):
                self._stream.truncate(whole)
        except OSError as error:
            raise output_error(self.path, error) from error

    def append(self, key: str, judge: JudgeName, judgement: Judgement) -> None:
        """Write and fsync one judgement.

        Raises:
            OutputError: the disk is full or the folder read-only; what was kept before stays whole.
        """
        value = {"v": SCHEMA, "digest": key, "judge": asdict(judge), **asdict(judgement)}
        start = self._stream.seek(0, os.SEEK_END)
        try:
            write_all(self._stream, line_of(json.dumps(value, ensure_ascii=True).encode()))
            os.fsync(self._stream.fileno())
        except OSError as error:
            with suppress(OSError):  # a disk that fails here too: opening the file cuts the tail off
                self._stream.truncate(start)
            raise output_error(self.path, error) from error
        self.kept.add(key, judge, judgement)

    def name_last(self, judge: JudgeName) -> None:
        """Note that `judge` is asked now, even if all that it is asked was kept: the run is judged by it."""
        self.append("", judge, Judgement(None, "is asked"))

    def __enter__(self) -> JudgementsFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stream.close()


def _parsed(lines: Iterable[bytes]) -> Iterator[tuple[str, JudgeName, Judgement]]:
    for line in lines:
        payload = payload_of(line[:-1]) if line.endswith(b"\n") else None
        if payload is None:  # damaged, or half-written: its question is asked again
            continue
        value = json.loads(payload)
        if value["v"] == SCHEMA:
            yield value["digest"], JudgeName(**value["judge"]), Judgement(value["right"], value["said"])


def _whole_bytes(path: Path) -> int:
    data = path.read_bytes()
    return data.rfind(b"\n") + 1
