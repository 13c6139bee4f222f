"""A run's results as they lie in its folder, all outputs read by today's extractor. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from sf_eval.benchmarks import catalog
from sf_eval.core.errors import OutputError
from sf_eval.harness import output_dir
from sf_eval.harness.judged.settled import settled_fields
from sf_eval.harness.record import RunRecord, TaskRecord
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.harness.recording import (
    RESULTS,
    SAMPLES,
    RunOutput,
    group_records,
    scored_by_task,
    task_record,
)
from sf_eval.scoring.scores import ScoredSample
from sf_eval.scoring.settling import Settling, Truth

_Record = TypeVar("_Record", bound=BaseModel)


@dataclass(frozen=True)
class FinishedRun:
    """A run that has results; it may have been stopped before its end (`record.complete`).

    Attributes:
        reread: answers that today's extractor reads otherwise than the run's own did.
    """

    output: RunOutput
    reread: int


def runs_of(folder: Path) -> list[Path]:
    """The folder itself, or those of the runs of a comparison, in its order.

    Raises:
        OutputError: `run.json` is there but is not ours, or of another version.
    """
    state = output_dir.read_state(folder)
    names = [] if state is None else list(state.plan.get(output_dir.RUNS_OF_A_COMPARISON, {}))
    if any(name != Path(name).name or name == ".." for name in names):
        raise OutputError(f"{folder / output_dir.STATE} names a run outside of its folder.")
    return [folder / name for name in names] or [folder]


def read_finished(folder: Path) -> FinishedRun:
    """What a finished or stopped run left in `folder`, with every output read and scored anew.

    Raises:
        OutputError: it holds no results of ours, or they are damaged or of another version.
    """
    if not (folder / RESULTS).is_file():
        has_journal = (folder / output_dir.JOURNAL).is_file()
        raise OutputError(
            f"{folder} holds no {RESULTS}.",
            hint=f"It was killed before it wrote any: sf-eval score {folder}"
            if has_journal
            else "Give the folder of a run (--output).",
        )
    record = _parse(RunRecord, folder / RESULTS, _read(folder / RESULTS))
    # Not splitlines: a question may hold U+2028 and its like.
    lines = _read(folder / SAMPLES).split(b"\n")
    kept = [_parse(SampleRecord, folder / SAMPLES, line) for line in lines if line]
    samples = [reread(sample) for sample in kept]
    changed = sum(now.outcome != then.outcome for now, then in zip(samples, kept, strict=True))
    scored = scored_by_task(samples)
    anew = record.model_copy(
        update={
            "tasks": [_scored_anew(task, record, scored.get(task.task, ())) for task in record.tasks],
            "groups": group_records({task.task: scored.get(task.task, ()) for task in record.tasks}),
        }
    )
    return FinishedRun(RunOutput(folder, anew, samples), changed)


def reread(sample: SampleRecord) -> SampleRecord:
    """The sample with its output read by today's extractor; a failed one is left as it is.

    So is what a lexicon or a judge settled: that takes them, and `sf-eval score` does it.
    """
    benchmark = catalog.get_benchmark(sample.task)
    if sample.output is None or benchmark.settled_by in ("wups", "judge"):
        return sample
    cut_off = sample.finish_reason == "length"
    settled = Settling(benchmark).settle_words(truth_of_sample(sample), sample.output, cut_off=cut_off)
    return sample.model_copy(update=settled_fields(settled))


def truth_of_sample(sample: SampleRecord) -> Truth:
    """What its answer is held against."""
    return Truth(sample.options, sample.target, sample.references, sample.categories, sample.labels)


def _scored_anew(task: TaskRecord, record: RunRecord, scored: Sequence[ScoredSample]) -> TaskRecord:
    facts = next(facts for facts in record.planned if facts.task == task.task)
    return task_record(
        facts,
        scored,
        clip=task.clip,
        submission_file=task.submission_file,
        lexicon=task.lexicon,
        judge=task.judge,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OutputError(f"cannot read {path}: {error.strerror or error}.") from error


def _parse(kind: type[_Record], path: Path, data: bytes) -> _Record:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        raise OutputError(
            f"{path} is damaged, or was written by another version of sf-eval.",
            hint="Where its journal is whole, sf-eval score writes it anew.",
        ) from error
