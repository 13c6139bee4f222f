"""What a mean is called where it is not of all its parts: "MVBench (19 of 20 subtasks, without ...)"."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.benchmarks import catalog
from sf_eval.harness.record import GroupRecord, PublishedScoreRecord, ScoreRecord

_NAMED = 3  # so many missing parts are named; of more, their number says enough


def incomplete(title: str, *, is_complete: bool) -> str:
    """The title of a mean over categories, which says so where parts of it are missing."""
    return title if is_complete else f"{title} (incomplete)"


def parts(score: ScoreRecord | PublishedScoreRecord) -> str:
    """What a mean is made of: "19 of 20"."""
    return f"{score.parts} of {score.parts_total}"


def made_of(groups: Sequence[GroupRecord]) -> str:
    """What the mean of one group is made of, in each of these runs: "19 of 20 subtasks (without X)"."""
    counted, without = _described(groups)
    return f"{counted} ({without})" if without else counted


def group_title(groups: Sequence[GroupRecord]) -> str:
    """A group's title, which says what its mean is made of where that is not all in each of these runs."""
    if all(group.complete for group in groups):
        return groups[0].title
    return f"{groups[0].title} ({', '.join(filter(None, _described(groups)))})"


def without(group: GroupRecord) -> str:
    """The parts that are missing in a group's mean: "without X, Y"; "" for none, or for too many to name."""
    missing = catalog.parts_without(group.group, group.tasks)
    return f"without {', '.join(missing)}" if 0 < len(missing) <= _NAMED else ""


def _described(groups: Sequence[GroupRecord]) -> tuple[str, str]:
    """ "19 to 20 of 20 subtasks", and the missing parts where all runs lack the same."""
    counts = sorted({group.score.parts for group in groups})
    span = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    total = max(group.score.parts_total for group in groups)
    lacking = {without(group) for group in groups}
    noun = catalog.get_group(groups[0].group).noun
    return f"{span} of {total} {noun}", lacking.pop() if len(lacking) == 1 else ""
