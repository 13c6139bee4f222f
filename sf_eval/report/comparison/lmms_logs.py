"""lmms-eval's own sample logs of other models: found by question, and read by our extractor.

A log (`*_samples_<task>.jsonl`) has no questions in it, only their ids or row numbers, so a log is read
against the questions of a run of ours. A line counts only where the question is certain: the same id (or,
where a built-in task logs none, the same row and a prompt), the same truth, and the options' texts in the
same order in its prompt, where it has one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.core.errors import DataError, UsageError
from sf_eval.harness.failed_text import from_text
from sf_eval.harness.finished import truth_of_sample
from sf_eval.harness.judged.settled import settled_fields
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.scoring.lexicons import settling_of
from sf_eval.scoring.open_answers.matching import matches
from sf_eval.scoring.settling import Settling

PATTERN = "*_samples_*.jsonl"
_NAME = re.compile(r"(?P<date>.+)_samples_(?P<task>.+)\.jsonl")
_IDS = ("question_id", "question_idx", "id")
_LETTERS = "ABCDEFGH"


class Unread(str, Enum):
    """Why a line of a log counts for nothing."""

    no_benchmark = "its task is none of our benchmarks"
    not_asked = "no run of ours asks its question"
    other_truth = "another answer is right there"
    other_options = "its prompt has not the same options in the same order"
    no_prompt = "it has neither the question's id nor a prompt to know it by"
    repeated = "its question comes twice"
    no_text = "it holds no text"


@dataclass(frozen=True)
class Line:
    """One answer in a log.

    Attributes:
        ids: whatever its metrics say that may be the question's id.
        text: the model's words before any filter; None where there are none.
        new_tokens: of the answer, where it was counted.
    """

    task: str
    doc_id: int
    ids: frozenset[str]
    target: str
    prompt: str
    text: str | None
    new_tokens: int | None


@dataclass(frozen=True)
class Log:
    """What lmms-eval logged of one model."""

    model: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Matched:
    """A log against our questions.

    Attributes:
        unread: the other lines as TASK/DOC_ID, by why.
        lexicons: names of what WUPS took the likeness of words from, by task.
    """

    samples: list[SampleRecord]
    unread: dict[Unread, list[str]]
    lexicons: dict[str, str] = field(default_factory=dict)


def is_log(path: Path) -> bool:
    """A sample log, or a folder with some in it that is no run of ours."""
    return path.is_file() or any(path.rglob(PATTERN))


def read_log(path: Path) -> Log:
    """The log at `path`, or all logs of one model below it.

    Raises:
        UsageError: no log there, or several of one task.
        DataError: a file that is not lmms-eval's.
    """
    files = [path] if path.is_file() else sorted(path.rglob(PATTERN))
    by_task: dict[str, Path] = {}
    for file in files:
        if (found := _NAME.fullmatch(file.name)) is None:
            raise UsageError(f"{file} is not called DATE_samples_TASK.jsonl, as lmms-eval's logs are.")
        task = found["task"]
        if task in by_task:
            raise UsageError(
                f"{path} holds several logs of {task}: {by_task[task]} and {file}.", hint="Name one of them."
            )
        by_task[task] = file
    if not by_task:
        raise UsageError(f"{path} holds no sample log of lmms-eval.", hint="Run it with --log_samples.")
    lines = [line for task, file in by_task.items() for line in _lines(task, file)]
    return Log(_model_of(next(iter(by_task.values()))), tuple(lines))


def matched(log: Log, known: Sequence[SampleRecord], *, is_mini: bool = False) -> Matched:
    """The lines of `log` whose question is among `known`, as samples.

    Args:
        known: samples of runs of ours; their answers do not matter.
        is_mini: these are of the mini editions.

    Raises:
        DataError: open answers are settled by WordNet, and it is not here.
    """
    by_id = {(sample.task, sample.question_id): sample for sample in known}
    by_row = {(sample.task, sample.doc_id): sample for sample in known}
    samples: dict[tuple[str, str], SampleRecord] = {}
    unread: dict[Unread, list[str]] = {}
    settlings: dict[str, Settling] = {}
    for line in log.lines:
        found = _question(line, by_id, by_row)
        if isinstance(found, SampleRecord) and (found.task, found.question_id) in samples:
            found = Unread.repeated
        if isinstance(found, Unread):
            unread.setdefault(found, []).append(f"{line.task}/{line.doc_id}")
        else:
            if found.task not in settlings:
                benchmark = catalog.get_benchmark(found.task)
                settlings[found.task] = settling_of(benchmark, is_mini=is_mini)
            samples[found.task, found.question_id] = _sample(found, line, settlings[found.task])
    lexicons = {task: each.lexicon.name for task, each in settlings.items() if each.lexicon is not None}
    return Matched(list(samples.values()), unread, lexicons)


def _question(
    line: Line,
    by_id: Mapping[tuple[str, str], SampleRecord],
    by_row: Mapping[tuple[str, int], SampleRecord],
) -> SampleRecord | Unread:
    if line.text is None:
        return Unread.no_text
    try:
        task = catalog.get_benchmark(line.task).name
    except UsageError:
        return Unread.no_benchmark
    named = [by_id[task, name] for name in sorted(line.ids) if (task, name) in by_id]
    found = named[0] if named else by_row.get((task, line.doc_id))
    if found is None:
        return Unread.not_asked
    has_prompt = bool(line.prompt.strip())
    if not named and not has_prompt:  # a row and a letter are those of many questions
        return Unread.no_prompt
    if found.target is not None and found.target not in _letters(line.target, found.options):
        return Unread.other_truth
    if found.references and not matches(line.target, found.references):
        return Unread.other_truth
    if has_prompt and not _in_order(found.options.values(), line.prompt):
        return Unread.other_options
    return found


def _letters(target: str, options: Mapping[str, str]) -> set[str]:
    """What may be the right letter by what a task logs: the letter, its number from 0, or the option's text.

    A number may be meant either way where the options are numbers, too ("How many ...?").
    """
    plain = target.strip()
    if plain in options:
        return {plain}
    of_text = {letter for letter, text in options.items() if text.strip() == plain}
    is_number = plain.isascii() and plain.isdecimal() and int(plain) < len(options)
    return of_text | ({_LETTERS[int(plain)]} if is_number else set())


def _in_order(texts: Any, prompt: str) -> bool:
    """Whether the texts come in the prompt, each after the one before."""
    within, place = " ".join(prompt.split()), 0
    for text in texts:
        plain = " ".join(text.split())
        place = within.find(plain, place)
        if place < 0:
            return False
        place += len(plain)
    return True


def _sample(question: SampleRecord, line: Line, settling: Settling) -> SampleRecord:
    """The question with the line's answer; nothing of what our own run measured."""
    asked = {
        name: getattr(question, name)
        for name in (
            "task",
            "data",
            "doc_id",
            "question_id",
            "video",
            "categories",
            "options",
            "labels",
            "target",
            "references",
            "kind",
        )
    }
    text = line.text or ""
    if (failure := from_text(text)) is not None:  # our own model under lmms-eval
        return SampleRecord(**asked, prompt=line.prompt, outcome=failure.value, failure_reason="in the log")
    settled = settling.settle_words(truth_of_sample(question), text)
    return SampleRecord(
        **asked,
        **settled_fields(settled),
        prompt=line.prompt,
        output=text,
        new_tokens=line.new_tokens,
    )


def _lines(task: str, path: Path) -> Iterator[Line]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line:
            yield _line(task, line, f"{path}, line {number}")


def _line(task: str, text: str, place: str) -> Line:
    try:
        value = json.loads(text)
        doc_id = int(value["doc_id"])
        answered = value["resps"] if "resps" in value else value["filtered_resps"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{place}: no sample of lmms-eval ({type(error).__name__}: {error}).") from error
    return Line(
        task=task,
        doc_id=doc_id,
        ids=frozenset(_ids(value)),
        target=str(value.get("target", "")),
        prompt=value["input"] if isinstance(value.get("input"), str) else "",
        text=_first_text(answered),
        new_tokens=_new_tokens(value.get("token_counts")),
    )


def _ids(value: Mapping[str, Any]) -> Iterator[str]:
    for metric in value.values():
        if isinstance(metric, dict):
            yield from (str(metric[name]) for name in _IDS if name in metric)


def _first_text(answered: Any) -> str | None:
    while isinstance(answered, list) and answered:
        answered = answered[0]
    return answered if isinstance(answered, str) else None


def _new_tokens(counts: Any) -> int | None:
    first = counts[0] if isinstance(counts, list) and counts else None
    count = first.get("output_tokens") if isinstance(first, dict) else None
    return count if isinstance(count, int) else None


def _model_of(log: Path) -> str:
    """What the results beside the log call the model; else the log's folder."""
    found = _NAME.fullmatch(log.name)
    try:
        results = json.loads((log.parent / f"{found['date'] if found else ''}_results.json").read_bytes())
        name = results["model_name"] or results["model_source"]
    except (OSError, ValueError, KeyError, TypeError):
        return log.resolve().parent.name
    return Path(str(name)).name  # a local checkpoint is called by its path
