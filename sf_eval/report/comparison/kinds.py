"""Runs compared by kinds of questions, for mini editions: what one moment shows, what all of the video
shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sf_eval.harness.recorded.samples import KindOfQuestionRecord
from sf_eval.report.comparison.contestant import Contestant
from sf_eval.report.comparison.finished import Key
from sf_eval.report.comparison.pairing import credit_of
from sf_eval.report.comparison.record import KindRecord, KindScore
from sf_eval.scoring.intervals import interval95
from sf_eval.scoring.outcome import Outcome

# In the order of the table.
_GROUPS = ("brief", "global")


@dataclass(frozen=True)
class _Asked:
    """A judged question of a known kind."""

    kind: KindOfQuestionRecord
    video: str
    options: int
    credit: float


def kinds_compared(runs: Mapping[str, Contestant], *, without: Collection[str] = ()) -> list[KindRecord]:
    """Groups of kinds, then kinds: brief ones, global ones, those about subtitles.

    Args:
        without: tasks whose answers were not settled alike in every run.
    """
    asked = {name: _asked_by_kind(run, without) for name, run in runs.items()}
    group_of = {one.kind.name: one.kind.group for each in asked.values() for one in each}
    groups = {
        group: {name for name, other in group_of.items() if other == group}
        for group in _GROUPS
        if group in group_of.values()
    }
    names = sorted(group_of, key=lambda name: (_place(group_of[name]), name))
    return [
        *(_kind(group, asked, members, is_group=True) for group, members in groups.items()),
        *(_kind(name, asked, {name}, is_group=False) for name in names),
    ]


def _place(group: str) -> int:
    return _GROUPS.index(group) if group in _GROUPS else len(_GROUPS)


def _kind(
    name: str,
    asked: Mapping[str, Sequence[_Asked]],
    kinds: set[str],
    *,
    is_group: bool,
) -> KindRecord:
    members = {run: [one for one in each if one.kind.name in kinds] for run, each in asked.items()}
    chances = [1 / one.options if one.options else 0.0 for each in members.values() for one in each]
    return KindRecord(
        name=name,
        is_group=is_group,
        chance=100 * sum(chances) / len(chances),
        scores=[_kind_score(run, each) for run, each in members.items() if each],
    )


def _kind_score(run: str, members: Sequence[_Asked]) -> KindScore:
    observed = [(one.video, one.credit) for one in members]
    bounds = interval95([observed])
    return KindScore(
        run=run,
        n=len(members),
        accuracy=100 * sum(one.credit for one in members) / len(members),
        interval95=None if bounds is None else (100 * bounds[0], 100 * bounds[1]),
    )


def _asked_by_kind(run: Contestant, without: Collection[str]) -> list[_Asked]:
    """Every judged question of a known kind.

    Two tasks may ask the same row, with and without subtitles: it counts by the first of them, and by both
    only where it is about the subtitles.
    """
    kinds: dict[Key, KindOfQuestionRecord] = {}
    counted: set[tuple[str, str]] = set()
    samples = [sample for sample in run.samples if sample.task not in without]
    for sample in samples:
        kind = sample.kind
        if kind is not None and (kind.row, kind.name) not in counted:
            counted.add((kind.row, kind.name))
            kinds[sample.task, sample.doc_id] = kind
    return [
        _Asked(
            kind=kind,
            video=f"{kind.row.partition('/')[0]}/{sample.video}",  # two editions may name a video alike
            options=len(sample.options),
            credit=credit_of(sample),
        )
        for sample in samples
        if Outcome(sample.outcome).is_scored and (kind := kinds.get((sample.task, sample.doc_id))) is not None
    ]
