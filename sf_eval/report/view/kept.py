"""What a page is made of: one run's folder, or a comparison's with its runs. Read; no model is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sf_eval.benchmarks.document import Document
from sf_eval.core.errors import OutputError
from sf_eval.harness.journal import read_journal
from sf_eval.harness.looking.kept_questions import document_of, question_lines
from sf_eval.harness.looking.record import KeptLook, read_looks
from sf_eval.harness.record import RunRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.inference import Answer
from sf_eval.report.comparison.record import ComparisonRecord

Key = tuple[str, int]
"""Task and row: the same question in every run."""

_Record = TypeVar("_Record", bound=BaseModel)

_RESULTS, _SAMPLES, _QUESTIONS, _JOURNAL = "results.json", "samples.jsonl", "questions.jsonl", "journal.jsonl"
_COMPARISON = "comparison.json"


@dataclass(frozen=True, eq=False)
class ViewedRun:
    """One run.

    Attributes:
        documents: what was asked; a question that an older run does not list has none.
        frame_indices: which frames were shown; a question without an answer has none.
    """

    name: str
    folder: Path
    record: RunRecord
    samples: dict[Key, SampleRecord]
    documents: dict[Key, Document]
    frame_indices: dict[Key, tuple[int, ...]]
    looks: dict[Key, KeptLook]


@dataclass(frozen=True, eq=False)
class Viewed:
    """What a page shows. Runs in the comparison's order."""

    folder: Path
    runs: tuple[ViewedRun, ...]
    comparison: ComparisonRecord | None

    @property
    def keys(self) -> list[Key]:
        """Every question that some run asked, in the order of the first run, then of the others."""
        return list(dict.fromkeys(key for run in self.runs for key in run.samples))


def read(folder: Path) -> Viewed:
    """Read a run or a comparison.

    Raises:
        OutputError: it is neither, or a file of it is damaged or missing.
    """
    if (folder / _COMPARISON).is_file():
        comparison = _validated(folder / _COMPARISON, ComparisonRecord)
        runs = []
        for compared in comparison.runs:
            place = compared.folder or compared.name
            if Path(place).name != place or not (folder / place).is_dir():
                raise OutputError(
                    f"{folder / _COMPARISON} compares {compared.name!r}, which has no folder beside it.",
                    hint="View the runs one by one.",
                )
            runs.append(_run(compared.name, folder / place))
        return Viewed(folder, tuple(runs), comparison)
    if (folder / _RESULTS).is_file():
        return Viewed(folder, (_run(folder.resolve().name, folder),), None)
    raise OutputError(
        f"{folder} holds neither a run nor a comparison that ended ({_RESULTS} or {_COMPARISON}).",
        hint="Give a folder that sf-eval run wrote.",
    )


def _run(name: str, folder: Path) -> ViewedRun:
    record = _validated(folder / _RESULTS, RunRecord)
    samples = {(sample.task, sample.doc_id): sample for sample in _samples(folder / _SAMPLES)}
    documents, digests = {}, {}
    if (folder / _QUESTIONS).is_file():
        for _, line in question_lines(folder / _QUESTIONS):
            document = document_of(line)
            documents[line.task, document.index] = document
            digests[line.digest] = (line.task, document.index)
    kept = read_journal(folder / _JOURNAL) if (folder / _JOURNAL).is_file() else {}
    indices = {
        digests[digest]: result.frame_indices
        for digest, result in kept.items()
        if digest in digests and isinstance(result, Answer)
    }
    looks = {(look.record.task, look.record.doc_id): look for look in read_looks(folder)}
    return ViewedRun(name, folder, record, samples, documents, indices, looks)


def _samples(path: Path) -> list[SampleRecord]:
    try:
        # Not splitlines: an output may hold U+2028 and its like.
        lines = path.read_text(encoding="utf-8").split("\n")
        return [SampleRecord.model_validate_json(line) for line in lines if line]
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error


def _validated(path: Path, kind: type[_Record]) -> _Record:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> OutputError:
    reason = error.strerror if isinstance(error, OSError) else "it is damaged, or of another version"
    return OutputError(f"{path} cannot be read: {reason}.")
