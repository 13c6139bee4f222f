"""From outcomes to scores, each with what it counts, how sure it is and what it leaves out.

All accuracies, intervals, bounds and coverages are in percent. The rules: docs/scoring.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sf_eval.scoring.intervals import Observation, interval95, mean_of_means
from sf_eval.scoring.outcome import Outcome
from sf_eval.scoring.published import PublishedVerdict

_DURATION_ORDER = {"short": "0", "medium": "1", "long": "2"}


@dataclass(frozen=True, slots=True)
class ScoredSample:
    """What scoring needs of one sample.

    Attributes:
        video_id: the cluster.
        published: the published scorer's verdict on the same output, where it was asked for.
        in_published: False where the published average leaves the sample out (an empty MVBench output).
        has_truth: False where the right answer is not public: then the sample's failure says nothing of the
            accuracy. `no_answer` always means that there is one.
        credit: from 0 to 1, of a scored answer that may earn a part; None for 1 or 0 by the outcome.
    """

    outcome: Outcome
    video_id: str
    categories: Mapping[str, str] = field(default_factory=dict)
    published: PublishedVerdict | None = None
    in_published: bool = True
    has_truth: bool = True
    credit: float | None = None

    @property
    def earned(self) -> float:
        """What it adds to the right ones: 1 for a right answer."""
        return float(self.outcome is Outcome.correct) if self.credit is None else self.credit


class SharedParts:
    """What many samples have alike, so that a million of them hold it once: videos' names and categories."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._categories: dict[tuple[tuple[str, str], ...], Mapping[str, str]] = {}

    def text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def categories(self, categories: Mapping[str, str]) -> Mapping[str, str]:
        return self._categories.setdefault(tuple(categories.items()), categories)


@dataclass(frozen=True)
class Score:
    """An accuracy and what stands beside it.

    Attributes:
        accuracy: right among correct, partial, wrong and no_answer, partial ones by their credit; None where
            nothing could be judged.
        interval95: None where there are fewer than two videos.
        n: samples that enter the accuracy.
        unjudged: answers to questions whose truth is not public.
        not_judged: open answers that only a judge can tell, and none was asked about.
        failures: failed samples by outcome, without zeros.
        coverage: share of the samples that were answered; 100 where none was asked.
        bounds: the accuracy if all failed samples were wrong, and if all were right; None where the truth is
            not public.
        parts: groups of which a sample was judged, whose accuracies the accuracy is the mean of; 1 where all
            samples count alike, 0 where none was judged.
        parts_total: groups that the mean should be made of.
    """

    accuracy: float | None
    interval95: tuple[float, float] | None
    n: int
    correct: int
    wrong: int
    no_answer: int
    unjudged: int
    failures: dict[str, int]
    coverage: float
    bounds: tuple[float, float] | None
    parts: int
    parts_total: int
    partial: int = 0
    not_judged: int = 0


@dataclass(frozen=True)
class CategoryScore:
    category: str
    value: str
    score: Score


@dataclass(frozen=True)
class PublishedScore:
    """The same outputs as the published scorers judge them.

    Attributes:
        accuracy: over the samples that the published average takes in; random guesses and exceptions
            count as wrong.
        random_guesses: outputs for which a letter was drawn.
        raised: outputs on which the scorer ends in an exception.
        dropped: outputs that the published average leaves out.
        parts, parts_total: as in `Score`.
    """

    accuracy: float | None
    interval95: tuple[float, float] | None
    n: int
    correct: int
    random_guesses: int
    raised: int
    dropped: int
    parts: int
    parts_total: int


def score(samples: Iterable[ScoredSample]) -> Score:
    """All samples alike (micro)."""
    return score_of_groups([list(samples)])


def headline_score(samples: Iterable[ScoredSample], mean_over: str | None) -> Score:
    """By the benchmark's own rule: all alike (None), or the mean of a category's accuracies."""
    return score_of_groups(_groups(list(samples), mean_over))


def score_of_groups(groups: Sequence[Sequence[ScoredSample]], *, total: int | None = None) -> Score:
    """The mean of the groups' accuracies, e.g. of MVBench's 20 subtasks; counts are totals.

    A group of which no sample could be judged is left out of accuracy, interval and `parts`, and enters the
    bounds with anything from 0 to 100.

    Args:
        total: how many groups the mean should be made of, where it is not all of `groups`.
    """
    outcomes = Counter(sample.outcome for group in groups for sample in group)
    observed = [_observations(group) for group in groups]
    asked = sum(outcomes.values())
    failures = {outcome.value: count for outcome, count in sorted(outcomes.items()) if outcome.is_failure}
    return Score(
        accuracy=_percent(mean_of_means(observed)),
        interval95=_percents(interval95(observed)),
        n=sum(map(len, observed)),
        correct=outcomes[Outcome.correct],
        wrong=outcomes[Outcome.wrong],
        no_answer=outcomes[Outcome.no_answer],
        unjudged=outcomes[Outcome.unjudged],
        failures=failures,
        coverage=100.0 * (asked - sum(failures.values())) / asked if asked else 100.0,
        bounds=_bounds(groups),
        parts=sum(map(bool, observed)),
        parts_total=len(groups) if total is None else total,
        partial=outcomes[Outcome.partial],
        not_judged=outcomes[Outcome.not_judged],
    )


def breakdown(samples: Iterable[ScoredSample], categories: Sequence[str]) -> list[CategoryScore]:
    """One score a value of each category; samples without the category are in none."""
    listed = list(samples)
    return [
        CategoryScore(category, value, score(members))
        for category in categories
        for value, members in _by_category(listed, category).items()
    ]


def score_published(samples: Iterable[ScoredSample], mean_over: str | None = None) -> PublishedScore:
    """What the published scorers make of the samples that carry their verdict; failures are left out."""
    return published_of_groups(_groups(list(samples), mean_over))


def published_of_groups(
    groups: Sequence[Sequence[ScoredSample]], *, total: int | None = None
) -> PublishedScore:
    """The mean of the groups' published accuracies; counts are totals. `total` as in `score_of_groups`."""
    judged = [[s for s in group if s.published is not None and not s.outcome.is_failure] for group in groups]
    kept = [[s for s in group if s.in_published] for group in judged]
    observed = [[(s.video_id, s.published is PublishedVerdict.correct) for s in group] for group in kept]
    verdicts = Counter(s.published for group in kept for s in group)
    return PublishedScore(
        accuracy=_percent(mean_of_means(observed)),
        interval95=_percents(interval95(observed)),
        n=sum(map(len, kept)),
        correct=verdicts[PublishedVerdict.correct],
        random_guesses=verdicts[PublishedVerdict.random_guess],
        raised=verdicts[PublishedVerdict.raises],
        dropped=sum(map(len, judged)) - sum(map(len, kept)),
        parts=sum(map(bool, kept)),
        parts_total=len(groups) if total is None else total,
    )


def _groups(samples: list[ScoredSample], mean_over: str | None) -> list[list[ScoredSample]]:
    return [samples] if mean_over is None else list(_by_category(samples, mean_over).values())


def _by_category(samples: Sequence[ScoredSample], category: str) -> dict[str, list[ScoredSample]]:
    """Samples by their value of the category, values in a reader's order: short to long, small to large."""
    found: dict[str, list[ScoredSample]] = {}
    for sample in samples:
        if category in sample.categories:
            found.setdefault(sample.categories[category], []).append(sample)
    return {value: found[value] for value in sorted(found, key=_reading_order)}


def _reading_order(value: str) -> tuple[int, int, str]:
    is_number = value.isdecimal()
    return (0 if is_number else 1, int(value) if is_number else 0, _DURATION_ORDER.get(value, value))


def _observations(group: Sequence[ScoredSample]) -> list[Observation]:
    return [(s.video_id, s.earned) for s in group if s.outcome.is_scored]


def _bounds(groups: Sequence[Sequence[ScoredSample]]) -> tuple[float, float] | None:
    lows: list[float] = []
    highs: list[float] = []
    for group in groups:
        right = sum(s.earned for s in group if s.outcome.is_scored)
        failed = sum(s.outcome.is_failure and s.has_truth for s in group)
        counted = failed + sum(s.outcome.is_scored for s in group)
        if counted:
            lows.append(100.0 * right / counted)
            highs.append(100.0 * (right + failed) / counted)
    return (sum(lows) / len(lows), sum(highs) / len(highs)) if lows else None


def _percent(share: float | None) -> float | None:
    return None if share is None else 100.0 * share


def _percents(shares: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if shares is None else (100.0 * shares[0], 100.0 * shares[1])
