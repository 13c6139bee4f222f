"""Group scores of two runs on the same groups of questions, with a paired interval (Video-MME-v2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sf_eval.benchmarks import catalog
from sf_eval.harness.recorded.samples import SampleRecord
from sf_eval.harness.recording import scored_sample
from sf_eval.report.comparison.record import EstimateRecord, GroupGainRecord
from sf_eval.scoring import paired
from sf_eval.scoring.group_score import earned_by_video, group_scores
from sf_eval.scoring.paired import Judged
from sf_eval.scoring.scores import SharedParts


def group_gains(
    pairs: Sequence[tuple[SampleRecord, SampleRecord]], *, seed: int, resamples: int
) -> list[GroupGainRecord]:
    """The gain in group score of each benchmark that has one, and of its parts.

    Args:
        pairs: what the tested run and the reference made of each question that both were asked and that is
            the same in both.
    """
    tasks = dict.fromkeys(one.task for one, _ in pairs)
    return [
        gain
        for task in tasks
        if catalog.get_benchmark(task).grouped
        for gain in _gains(task, [pair for pair in pairs if pair[0].task == task], seed, resamples)
    ]


def _gains(
    task: str, pairs: Sequence[tuple[SampleRecord, SampleRecord]], seed: int, resamples: int
) -> Iterator[GroupGainRecord]:
    shared = SharedParts()
    # Both are grouped as the tested run's data says: an edition may have revised a question's level.
    pairs = [(one, other.model_copy(update={"categories": one.categories})) for one, other in pairs]
    ours, theirs = (
        [scored_sample(sample, shared) for sample in samples] for samples in zip(*pairs, strict=True)
    )
    tested, reference = earned_by_video(ours), earned_by_video(theirs)
    asked_of = {score.part: score.groups + score.left_out for score in group_scores(ours)}
    for part, earned in tested.items():
        # A group's points are a credit, as an open answer's: the benchmark's own draws, a video a group.
        judged = [
            Judged(video, "", (points / 100, reference[part][video] / 100))
            for video, points in earned.items()
            if video in reference[part]
        ]
        if not judged:
            continue
        _, each = paired.compare({task: judged}, [], seed=seed, resamples=resamples)
        found = each[task]
        yield GroupGainRecord(
            benchmark=task,
            part=part,
            tested=found.first,
            reference=found.second,
            difference=EstimateRecord(value=found.difference.value, interval95=found.difference.interval95),
            p_value=found.p_value,
            groups=len(judged),
            left_out=asked_of[part] - len(judged),
        )
