"""From answers to records: one line a sample, one record a task, one mean a group."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.outcome import Outcome
from sf_eval.benchmarks.published import (
    PublishedVerdict,
    counts_in_published_denominator,
    published_score,
)
from sf_eval.benchmarks.scores import (
    PublishedScore,
    Score,
    ScoredSample,
    breakdown,
    headline_score,
    published_of_groups,
    score,
    score_of_groups,
    score_published,
)
from sf_eval.core import files
from sf_eval.harness.answering import Result
from sf_eval.harness.plan import TaskPlan
from sf_eval.harness.record import (
    CategoryRecord,
    GroupRecord,
    PublishedScoreRecord,
    SampleRecord,
    ScoreRecord,
    TaskRecord,
    VideoNoteRecord,
)
from sf_eval.harness.scoring import judge
from sf_eval.inference import Failure


def sample_record(task: TaskPlan, document: Document, prompt: str, result: Result) -> SampleRecord:
    """One line of `samples.jsonl`."""
    asked: dict[str, Any] = {
        "task": task.benchmark.name,
        "data": task.opened.source_label,
        "doc_id": document.index,
        "question_id": document.id,
        "video": document.video_id,
        "categories": document.categories,
        "prompt": prompt,
        "target": document.answer,
    }
    if isinstance(result, Failure):
        return SampleRecord(**asked, outcome=result.kind.value, failure_reason=result.reason)
    verdict = judge(document, result.text)
    return SampleRecord(
        **asked,
        output=result.text,
        answer=verdict.answer,
        outcome=verdict.outcome.value,
        published_verdict=_published_verdict(task, document, result.text),
        num_frames=result.num_frames,
        frames_missing=result.frames_missing,
        video_notes=[VideoNoteRecord(kind=note.kind, detail=note.detail) for note in result.video_notes],
        prompt_tokens=result.prompt_tokens,
        fast_tokens=result.fast_tokens,
        slow_tokens=result.slow_tokens,
        new_tokens=result.new_tokens,
        finish_reason=result.finish_reason,
        timings=asdict(result.timings),
    )


def _published_verdict(task: TaskPlan, document: Document, output: str) -> str | None:
    if document.answer is None:
        return None
    return published_score(task.benchmark.name, document, output).value


def task_record(
    task: TaskPlan, samples: Sequence[SampleRecord], *, clip: Literal["whole", "cut"], submission: Path
) -> TaskRecord:
    """The scores of one task; writes its submission file into `submission` where its truth is not public."""
    benchmark = task.benchmark
    scored = [_scored(sample) for sample in samples]
    return TaskRecord(
        task=benchmark.name,
        title=benchmark.title,
        data=task.opened.source_label,
        dataset=benchmark.hub_id,
        split=benchmark.split,
        revision=task.opened.revision,
        clip=clip,
        questions_total=len(task.opened.documents),
        questions_asked=len(samples),
        videos_asked=len({sample.video for sample in samples}),
        headline=benchmark.headline,
        score=score_record(headline_score(scored, benchmark.headline)),
        micro=score_record(score(scored)),
        breakdown=[
            CategoryRecord(category=part.category, value=part.value, score=score_record(part.score))
            for part in breakdown(scored, benchmark.breakdown)
        ],
        published=_published_record(score_published(scored)),
        submission_file=_write_submission(_submission_name(task), samples, submission)
        if benchmark.writes_submission
        else None,
    )


def group_records(tasks: Sequence[TaskPlan], samples: Sequence[SampleRecord]) -> list[GroupRecord]:
    """The mean of each group that the run touched."""
    asked = [task.benchmark.name for task in tasks]
    records = []
    for name in dict.fromkeys(task.benchmark.group for task in tasks if task.benchmark.group):
        group = catalog.get_group(name)
        members = [member for member in group.members if member in asked]
        parts = [[_scored(sample) for sample in samples if sample.task == member] for member in members]
        records.append(
            GroupRecord(
                group=name,
                title=group.title,
                tasks=members,
                complete=len(members) == len(group.members),
                score=score_record(score_of_groups(parts)),
                published=_published_record(published_of_groups(parts)),
            )
        )
    return records


def score_record(value: Score) -> ScoreRecord:
    return ScoreRecord(**asdict(value))


def _scored(sample: SampleRecord) -> ScoredSample:
    verdict = sample.published_verdict
    return ScoredSample(
        outcome=Outcome(sample.outcome),
        video_id=sample.video,
        categories=sample.categories,
        published=None if verdict is None else PublishedVerdict(verdict),
        in_published=counts_in_published_denominator(sample.task, sample.output or ""),
        has_truth=sample.target is not None,
    )


def _published_record(value: PublishedScore) -> PublishedScoreRecord | None:
    """None where no output carries a published verdict: the truth is not public, or every sample failed."""
    return PublishedScoreRecord(**asdict(value)) if value.n + value.dropped else None


def _submission_name(task: TaskPlan) -> str:
    """The mini edition is named, so that nobody submits it."""
    edition = "_mini_edition" if task.opened.is_mini else ""
    return f"submission_{task.benchmark.name}{edition}.json"


def _write_submission(name: str, samples: Sequence[SampleRecord], folder: Path) -> str:
    """Video to option index, as EgoSchema's evaluation server takes it; -1 where there is no answer."""
    answers = {
        sample.video: -1 if sample.answer is None else ord(sample.answer) - ord("A") for sample in samples
    }
    files.write_text(folder / name, json.dumps(answers, indent=1) + "\n")
    return name
