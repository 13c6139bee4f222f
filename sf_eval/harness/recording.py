"""From answers to records and files. Needs no model, no GPU, no video and no lmms-eval.

What a run was asked (`questions.jsonl`), what it was (`run.json`) and what was answered (`journal.jsonl`)
lie in its folder, so that `sf-eval score` records it anew from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Document
from sf_eval.core import files
from sf_eval.core.stored import LineFile, Stored, write_lines
from sf_eval.data.known_bad import known_bad
from sf_eval.harness.ask import Asked
from sf_eval.harness.asked.document import AskedDocument
from sf_eval.harness.judged.judgements import judged_tasks
from sf_eval.harness.judged.settled import settled_fields, settlings_of
from sf_eval.harness.questions import ClipMode
from sf_eval.harness.record import (
    CategoryRecord,
    GroupRecord,
    JudgeRecord,
    PublishedScoreRecord,
    RunFacts,
    RunRecord,
    ScoreRecord,
    TaskFacts,
    TaskRecord,
    Usage,
)
from sf_eval.harness.recorded.samples import SampleRecord, VideoNoteRecord
from sf_eval.harness.recorded.submission import write_submission
from sf_eval.harness.stopped import StoppedError
from sf_eval.inference import Failure, FailureKind, QuestionKey, Result
from sf_eval.scoring.group_score import group_scores
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.published import (
    PublishedVerdict,
    counts_in_published_denominator,
    published_score,
)
from sf_eval.scoring.scores import (
    PublishedScore,
    Score,
    ScoredSample,
    SharedParts,
    breakdown,
    headline_score,
    published_of_groups,
    score,
    score_of_groups,
    score_published,
)
from sf_eval.scoring.settling import Settling
from sf_eval.video.digest import digest_of_indices

RESULTS = "results.json"
SAMPLES = "samples.jsonl"
QUESTIONS = "questions.jsonl"


@dataclass(frozen=True)
class RunOutput:
    """A run, as written to its folder.

    Attributes:
        samples: of a run that was recorded now, each is read from `samples.jsonl` when it is asked for.
        stopped: why the run ended before its end (Ctrl-C, `--fail-on-error`); then it holds what was
            answered until then. None for a complete run.
    """

    folder: Path
    record: RunRecord
    samples: Sequence[SampleRecord]
    stopped: StoppedError | None = None

    @property
    def failed(self) -> int:
        """Questions that failed."""
        return sum(sum(task.micro.failures.values()) for task in self.record.tasks)

    @property
    def planned(self) -> int:
        """Questions that the run was to ask."""
        return sum(task.questions_planned for task in self.record.planned)


def record(
    folder: Path,
    facts: RunFacts,
    questions: Sequence[AskedDocument],
    asked: Asked,
    usage: Usage,
    *,
    rescored: str | None = None,
) -> RunOutput:
    """Judge every answer, work out the scores, write `samples.jsonl` and `results.json`.

    Args:
        questions: what was to be asked, in the order of tasks and rows.
        asked: its results; a question without one was not come to, and is in no file.

    Raises:
        OutputError: the folder cannot be written.
    """
    judged = judged_tasks(folder, ((one.key, one.document) for one in questions), asked.results)
    settlings = settlings_of(facts, judged)
    with files.replacing(folder / SAMPLES) as stream:
        samples, scored = _written_samples(stream, facts, questions, asked.results, settlings)
        begun = [task for task in facts.planned if task.task in scored]  # all, unless it was stopped
        complete = asked.stopped is None and len(samples) == len(questions)
        written = RunRecord(
            **facts.model_dump(),
            **usage.model_dump(),
            rescored=rescored,
            complete=complete,
            tasks=[
                task_record(
                    task,
                    scored[task.task],
                    clip=facts.clip,
                    lexicon=_lexicon_name(settlings[task.task]),
                    judge=judged[task.task].judge if task.task in judged else None,
                    submission_file=write_submission(
                        task,
                        (sample for sample in samples if sample.task == task.task),
                        folder,
                        conditions=facts.conditions,
                        complete=complete,
                    ),
                )
                for task in begun
            ],
            groups=group_records(scored),
        )
    files.write_json(folder / RESULTS, written.model_dump(mode="json"))
    return RunOutput(folder, written, samples, asked.stopped)


def _written_samples(
    stream: BinaryIO,
    facts: RunFacts,
    questions: Iterable[AskedDocument],
    results: Mapping[QuestionKey, Result],
    settlings: Mapping[str, Settling],
) -> tuple[Sequence[SampleRecord], dict[str, list[ScoredSample]]]:
    """The samples, written, and by task what scoring needs of them; few samples are in memory at a time."""
    facts_of = {task.task: task for task in facts.planned}
    scored: dict[str, list[ScoredSample]] = {}
    shared = SharedParts()

    def lines() -> Iterator[bytes]:
        for question in questions:
            result = results.get(question.key)
            if result is not None:
                task = question.key.task
                sample = sample_record(facts_of[task], question, result, settlings[task])
                scored.setdefault(task, []).append(scored_sample(sample, shared))
                yield sample.model_dump_json().encode()

    starts = write_lines(stream, lines())
    return Stored(LineFile.of(stream), starts, SampleRecord.model_validate_json), scored


def questions_recorded(folder: Path) -> int:
    """How many questions the folder's results hold; 0 without any."""
    try:
        kept = RunRecord.model_validate_json((folder / RESULTS).read_bytes())
    except (OSError, ValueError):
        return 0
    return sum(task.questions_asked for task in kept.tasks)


def sample_record(
    task: TaskFacts, question: AskedDocument, result: Result, settling: Settling
) -> SampleRecord:
    """One line of `samples.jsonl`."""
    document = question.document
    asked: dict[str, Any] = {
        "task": task.task,
        "data": task.data,
        "doc_id": document.index,
        "question_id": document.id,
        "video": document.video_id,
        "categories": document.categories,
        "options": document.options,
        "labels": document.labels,
        "target": document.answer,
        "references": list(document.references),
        "kind": question.kind,
        "change": question.change,
    }
    if isinstance(result, Failure):
        return SampleRecord(
            **asked,
            prompt=document.prompt,
            outcome=result.kind.value,
            failure_reason=_reason(task.task, document, result),
            video_error=result.video_error,
        )
    settled = settling.settle(document, result.text, cut_off=result.finish_reason == "length")
    return SampleRecord(
        **asked,
        **settled_fields(settled),
        prompt=result.prompt,
        output=result.text,
        published_verdict=_published_verdict(task.task, document, result.text),
        num_frames=result.num_frames,
        frames_missing=result.frames_missing,
        video_notes=[VideoNoteRecord(kind=note.kind, detail=note.detail) for note in result.video_notes],
        frames_digest=digest_of_indices(result.frame_indices) if result.frame_indices else None,
        pixels_digest=result.pixels_digest or None,
        prompt_tokens=result.prompt_tokens,
        fast_tokens=result.fast_tokens,
        slow_tokens=result.slow_tokens,
        visual_grid=result.visual_grid,
        new_tokens=result.new_tokens,
        finish_reason=result.finish_reason,
        timings=asdict(result.timings),
    )


def _reason(task: str, document: Document, failure: Failure) -> str:
    """Why there is no answer; of a video that others could not read either, that and where they said so."""
    why = failure.video_error
    if failure.kind is not FailureKind.DECODE_ERROR or (why is not None and not why.is_damage):
        return failure.reason
    found = known_bad(catalog.get_benchmark(task), document.media.candidates[0])
    return failure.reason if found is None else f"{failure.reason}; {found.sentence}"


def _published_verdict(task: str, document: Document, output: str) -> str | None:
    if document.answer is None:
        return None
    verdict = published_score(task, document, output)
    return None if verdict is None else verdict.value


def task_record(
    task: TaskFacts,
    scored: Sequence[ScoredSample],
    *,
    clip: ClipMode,
    submission_file: str | None,
    lexicon: str | None = None,
    judge: JudgeRecord | None = None,
) -> TaskRecord:
    """The scores of one task.

    Args:
        clip: which part of the videos was shown where a row has times.
        submission_file: what was written of a task whose truth is not public.
        lexicon, judge: what settled its open answers, where that was one of them.
    """
    benchmark = catalog.get_benchmark(task.task)
    return TaskRecord(
        task=benchmark.name,
        title=benchmark.title,
        data=task.data,
        dataset=benchmark.hub_id,
        split=benchmark.split,
        revision=task.revision,
        clip=clip,
        questions_total=task.questions_total,
        questions_asked=len(scored),
        videos_asked=len({sample.video_id for sample in scored}),
        mean_over=benchmark.mean_over,
        score=score_record(headline_score(scored, benchmark.mean_over)),
        micro=score_record(score(scored)),
        breakdown=[
            CategoryRecord(category=part.category, value=part.value, score=score_record(part.score))
            for part in breakdown(scored, benchmark.breakdown)
        ],
        published=_published_record(score_published(scored)),
        submission_file=submission_file,
        group_scores=group_scores(scored) if benchmark.grouped else [],
        settled_by=benchmark.settled_by,
        lexicon=lexicon,
        judge=judge,
    )


def _lexicon_name(settling: Settling) -> str | None:
    return None if settling.lexicon is None else settling.lexicon.name


def group_records(scored: Mapping[str, Sequence[ScoredSample]]) -> list[GroupRecord]:
    """The mean of each group that the run touched: of those of its tasks that have a judged answer.

    Args:
        scored: by task.
    """
    groups = dict.fromkeys(catalog.get_benchmark(task).group for task in scored)
    records = []
    for group in filter(None, groups):
        all_members = catalog.members_of(group.name)
        members = [member for member in all_members if member in scored]
        parts = {member: scored[member] for member in members}
        judged = [member for member in members if any(each.outcome.is_scored for each in parts[member])]
        total = catalog.parts_total(group.name)
        records.append(
            GroupRecord(
                group=group.name,
                title=group.title,
                tasks=judged,
                unanswered=[member for member in members if member not in judged],
                complete=len(judged) == total,
                score=score_record(score_of_groups(list(parts.values()), total=total)),
                published=_published_record(published_of_groups(list(parts.values()), total=total)),
            )
        )
    return records


def score_record(value: Score) -> ScoreRecord:
    return ScoreRecord(**asdict(value))


def scored_by_task(samples: Iterable[SampleRecord]) -> dict[str, list[ScoredSample]]:
    """What scoring needs of the samples, by task, in the order in which tasks are first met."""
    shared = SharedParts()
    by_task: dict[str, list[ScoredSample]] = {}
    for sample in samples:
        by_task.setdefault(sample.task, []).append(scored_sample(sample, shared))
    return by_task


def scored_sample(sample: SampleRecord, shared: SharedParts) -> ScoredSample:
    """What scoring needs of a sample; names are held once by all that have them."""
    verdict = sample.published_verdict
    return ScoredSample(
        outcome=Outcome(sample.outcome),
        video_id=shared.text(sample.video),
        categories=shared.categories(sample.categories),
        published=None if verdict is None else PublishedVerdict(verdict),
        in_published=counts_in_published_denominator(sample.task, sample.output or ""),
        has_truth=sample.target is not None or bool(sample.references),
        credit=sample.credit,
    )


def _published_record(value: PublishedScore) -> PublishedScoreRecord | None:
    """None where no output carries a published verdict: the truth is not public, or every sample failed."""
    return PublishedScoreRecord(**asdict(value)) if value.n + value.dropped else None
