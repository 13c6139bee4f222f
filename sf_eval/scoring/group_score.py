"""Scores of questions that stand in groups of four about one video, as Video-MME-v2 scores them.

A group earns from 0 to 100, by one of two rules of its authors (arXiv 2604.05015; `cal_relevance` and
`cal_logic` of their evaluation):

    consistency ("relevance"): (right / 4) squared
    coherence ("logic"): the steps of a chain of reasoning count up to the first that is not wholly right;
        of a step of two questions the one that is right still counts. What so many are worth grows with each.

The score of a set is the mean over its groups. One group is one observation, and one video has one group, so
that the interval needs no further clusters.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from sf_eval.scoring.intervals import interval95, mean_of_means
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.scores import ScoredSample

#: Names of the categories (`Document.categories`) that say how a question stands in its group.
POSITION, GROUP_TYPE, STRUCTURE, LEVEL = "position", "group_type", "group_structure", "level"

SIZE = 4
CONSISTENCY, COHERENCE = "relevance", "logic"
_TITLES = {CONSISTENCY: "consistency", COHERENCE: "coherence"}
ALL = "all"

#: Chain of reasoning, as the authors write it, to its steps (positions of questions in the group).
STEPS: Mapping[str, tuple[tuple[int, ...], ...]] = {
    "[1, 2, 3, 4]": ((1,), (2,), (3,), (4,)),
    "[1, [2, 3], 4]": ((1,), (2, 3), (4,)),
    "[[1, 2], 3, 4]": ((1, 2), (3,), (4,)),
}
# What 0 to 4 questions of a chain are worth, in parts of the last.
_WORTH: Mapping[str, tuple[int, ...]] = {
    "[1, 2, 3, 4]": (0, 1, 4, 9, 16),
    "[1, [2, 3], 4]": (0, 1, 4, 7, 12),
    "[[1, 2], 3, 4]": (0, 1, 2, 5, 10),
}


class GroupScore(BaseModel):
    """The group score of some of a benchmark's groups."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: str = Field(description='"all", "consistency", "coherence", or a level ("level 1").')
    score: float | None = Field(description="Mean over the groups, 0 to 100; null where none is whole.")
    interval95: tuple[float, float] | None = Field(
        description="95% interval of the score; a group is one observation. Null with fewer than two."
    )
    accuracy: float | None = Field(description="Percent right of the same groups' questions.")
    groups: int = Field(description="Groups whose four questions were all asked and answered.")
    left_out: int = Field(description="Groups of which a question was not asked or failed.")
    bounds: tuple[float, float] | None = Field(
        description="The score if every failed question were wrong, and if every one were right, over all "
        "groups that were asked as a whole."
    )


def consistency(right: Sequence[bool]) -> float:
    """What a group of questions about one ability earns, 0 to 100."""
    return 100.0 * (sum(right) / SIZE) ** 2


def coherence(right: Sequence[bool], structure: str) -> float:
    """What a chain of reasoning earns, 0 to 100.

    Args:
        right: of the questions in order.
        structure: one of `STEPS`.
    """
    reached = 0
    for step in STEPS[structure]:
        right_ones = sum(right[position - 1] for position in step)
        reached += right_ones
        if right_ones < len(step):
            break
    worth = _WORTH[structure]
    return 100.0 * worth[reached] / worth[-1]


def group_scores(samples: Iterable[ScoredSample]) -> list[GroupScore]:
    """The group score of all groups, of each kind of group, and of each level.

    A group belongs to the level of its last question, as its authors have it.

    Args:
        samples: of one benchmark; each with `POSITION`, `GROUP_TYPE` and, of coherence, `STRUCTURE`.
    """
    return [_score(name, groups) for name, groups in _parts(samples)]


def earned_by_video(samples: Iterable[ScoredSample]) -> dict[str, dict[str, float]]:
    """What each group earns that was asked and answered as a whole, 0 to 100: part to video to that.

    Args:
        samples: as of `group_scores`, which is the mean of each part's.
    """
    return {
        name: {group[0].video_id: _earned(group) for group in _whole(_asked(groups))}
        for name, groups in _parts(samples)
    }


def _parts(samples: Iterable[ScoredSample]) -> list[tuple[str, list[list[ScoredSample]]]]:
    """The groups of each part, their questions in order."""
    by_video: dict[str, list[ScoredSample]] = defaultdict(list)
    for sample in samples:
        by_video[sample.video_id].append(sample)
    parts: dict[str, list[list[ScoredSample]]] = {ALL: []}
    for members in by_video.values():
        group = sorted(members, key=_position)
        last = group[-1].categories
        names = [ALL, _TITLES[last[GROUP_TYPE]], *([f"level {last[LEVEL]}"] if LEVEL in last else [])]
        for name in names:
            parts.setdefault(name, []).append(group)
    return sorted(parts.items(), key=_reading_order)


def _asked(groups: Sequence[Sequence[ScoredSample]]) -> list[Sequence[ScoredSample]]:
    """Those of which all four questions were asked."""
    return [group for group in groups if [*map(_position, group)] == list(range(1, SIZE + 1))]


def _whole(asked: Sequence[Sequence[ScoredSample]]) -> list[Sequence[ScoredSample]]:
    """Those of which all four were answered, too."""
    return [group for group in asked if all(sample.outcome.is_scored for sample in group)]


def _reading_order(item: tuple[str, object]) -> tuple[int, str]:
    order = (ALL, *_TITLES.values())
    return (order.index(item[0]) if item[0] in order else len(order), item[0])


def _position(sample: ScoredSample) -> int:
    return int(sample.categories[POSITION])


def _score(name: str, groups: Sequence[Sequence[ScoredSample]]) -> GroupScore:
    asked = _asked(groups)
    whole = _whole(asked)
    observed = [(group[0].video_id, _earned(group) / 100) for group in whole]
    mean, interval = mean_of_means([observed]), interval95([observed])
    right = sum(sample.outcome is Outcome.correct for group in whole for sample in group)
    lows = [_earned(group) for group in asked]
    highs = [_earned(group, failed=True) for group in asked]
    return GroupScore(
        part=name,
        score=None if mean is None else 100.0 * mean,
        interval95=None if interval is None else (100.0 * interval[0], 100.0 * interval[1]),
        accuracy=100.0 * right / (SIZE * len(whole)) if whole else None,
        groups=len(whole),
        left_out=len(groups) - len(whole),
        bounds=(sum(lows) / len(lows), sum(highs) / len(highs)) if asked else None,
    )


def _earned(group: Sequence[ScoredSample], *, failed: bool = False) -> float:
    """What a whole group earns, its failed questions taken for wrong, or for right."""
    right = [sample.outcome is Outcome.correct or (failed and sample.outcome.is_failure) for sample in group]
    last = group[-1].categories
    if last[GROUP_TYPE] == CONSISTENCY:
        return consistency(right)
    return coherence(right, last[STRUCTURE])
