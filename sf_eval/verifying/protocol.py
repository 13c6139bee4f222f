"""Compares our prompts and published scores with recorded ones (`sf-eval verify`).

A directory of recorded cases holds `prompts.jsonl` (task, doc, prompt) and/or `scores.jsonl` (task, doc,
output, reference_correct: true, false, "random guess" or "raises ..."). Frame indices and preprocessing of
such a directory are compared by the rooms they belong to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.core.errors import DataError
from sf_eval.scoring.published import PublishedVerdict, published_score

PROMPTS, SCORES = "prompts.jsonl", "scores.jsonl"
# Recorded tasks that are a group, or of which only one edition has a public truth.
_STANDS_FOR = {"mvbench": "mvbench_action_count", "egoschema": "egoschema_subset"}


@dataclass(frozen=True)
class ProtocolResult:
    """One recorded row and what we make of it.

    Attributes:
        file: "prompts.jsonl" or "scores.jsonl".
        line: the row's line number, from 1.
        expected, got: prompts, or verdicts as words.
        output: the model's output, for scores.
    """

    file: str
    line: int
    task: str
    expected: str
    got: str
    output: str = ""

    @property
    def passed(self) -> bool:
        return self.expected == self.got


def recorded_protocol_dir() -> Path:
    """The recorded cases that the package ships."""
    return Path(__file__).resolve().parent.parent / "assets" / "recorded" / "protocol"


def is_protocol_dir(directory: Path) -> bool:
    return any((directory / name).is_file() for name in (PROMPTS, SCORES))


def verify_protocol(directory: Path) -> list[ProtocolResult]:
    """Compare every row of the directory's prompts and scores.

    Raises:
        DataError: a row that cannot be read, naming file and line; or nothing to compare.
    """
    results = [*_verify_prompts(directory / PROMPTS), *_verify_scores(directory / SCORES)]
    if not results:
        raise DataError(
            f"{directory} holds no recorded prompts or scores.", hint=f"It should have {PROMPTS} or {SCORES}."
        )
    return results


def _verify_prompts(path: Path) -> Iterator[ProtocolResult]:
    for line, record in _records(path):
        benchmark, document = _document(path, line, record)
        expected = _text(path, line, record, "prompt")
        yield ProtocolResult(path.name, line, benchmark.name, expected, document.prompt)


def _verify_scores(path: Path) -> Iterator[ProtocolResult]:
    for line, record in _records(path):
        benchmark, document = _document(path, line, record)
        output = _text(path, line, record, "output")
        expected = _verdict(path, line, record.get("reference_correct"))
        got = published_score(benchmark.name, document, output)
        if got is None:
            raise DataError(f"{path}, line {line}: no published scorer of {benchmark.name} is known.")
        yield ProtocolResult(path.name, line, benchmark.name, expected.value, got.value, output)


def _records(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        return
    # Not splitlines: to it U+2028 and U+0085, which may stand in an output, end a line.
    for line, text in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {line} is not JSON: {error}") from error
        if not isinstance(record, dict) or not isinstance(record.get("doc"), dict):
            raise DataError(f"{path}, line {line} is not an object with a doc.")
        yield line, record


def _document(path: Path, line: int, record: Mapping[str, Any]) -> tuple[Benchmark, Document]:
    task = _text(path, line, record, "task")
    benchmark = get_benchmark(_STANDS_FOR.get(task, task))
    return benchmark, benchmark.read_row(line - 1, record["doc"])


def _text(path: Path, line: int, record: Mapping[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise DataError(f"{path}, line {line}: {key!r} is missing or not a text.")
    return value


def _verdict(path: Path, line: int, value: Any) -> PublishedVerdict:
    if isinstance(value, bool):
        return PublishedVerdict.correct if value else PublishedVerdict.wrong
    if value == "random guess":
        return PublishedVerdict.random_guess
    if isinstance(value, str) and value.startswith("raises"):
        return PublishedVerdict.raises
    raise DataError(f"{path}, line {line}: 'reference_correct' is {value!r}.")
