"""What the page's pictures are drawn from: numbers already placed, in percent of the picture's width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sf_eval.core.tables import interval, percent
from sf_eval.report.comparison.record import ComparisonRecord, EstimateRecord, KindRecord

_TITLES = {
    "brief": "questions about what is to be seen for a moment",
    "global": "questions about the video as a whole",
}


@dataclass(frozen=True)
class Bar:
    """A value from 0 to 100 with its interval."""

    label: str
    run: int
    value: float
    low: float
    high: float
    said: str


@dataclass(frozen=True)
class Bars:
    """Bars that belong together; `chance` is where guessing would be, None where nobody knows."""

    title: str
    bars: tuple[Bar, ...]
    chance: float | None = None


@dataclass(frozen=True)
class Gain:
    """A difference with its interval, placed on an axis from `Gains.low` to `Gains.high`."""

    label: str
    at: float
    low: float
    high: float
    said: str
    is_sure: bool


@dataclass(frozen=True)
class Gains:
    low: float
    high: float
    zero: float
    gains: tuple[Gain, ...]


@dataclass(frozen=True)
class Point:
    x: float
    y: float
    low: float
    high: float
    said: str


@dataclass(frozen=True)
class Line:
    """One model over the number of frames shown."""

    label: str
    number: int
    points: tuple[Point, ...]

    @property
    def path(self) -> str:
        return " ".join(f"{point.x:.2f},{point.y:.2f}" for point in self.points)


def bars(record: ComparisonRecord) -> list[Bars]:
    """The mean, then groups of kinds: what a moment shows, what all of the video shows."""
    mean = tuple(
        _bar(run.name, number, run.mean.value, run.mean.interval95)
        for number, run in enumerate(record.runs)
        if run.mean is not None
    )
    groups = [_of_kind(kind, [run.name for run in record.runs]) for kind in record.kinds if kind.is_group]
    return [Bars("mean over benchmarks", mean), *groups] if mean else groups


def gains(record: ComparisonRecord) -> Gains | None:
    """The first run against each of the others, over all benchmarks."""
    found = []
    for gain in record.gains:
        if gain.overall is not None:
            difference = gain.overall.difference
            low, high = difference.interval95 or (difference.value, difference.value)
            found.append((f"{gain.tested} − {gain.reference}", difference.value, low, high, difference))
    if not found:
        return None
    least = min(0.0, *(low for _, _, low, _, _ in found))
    most = max(0.0, *(high for _, _, _, high, _ in found))
    room = 0.06 * (most - least or 1.0)
    least, most = least - room, most + room

    def place(value: float) -> float:
        return 100 * (value - least) / (most - least)

    return Gains(
        least,
        most,
        place(0.0),
        tuple(
            Gain(
                label,
                place(value),
                place(low),
                place(high),
                f"{value:+.1f} points{f' {interval(one.interval95)}' if one.interval95 else ''}",
                one.interval95 is not None and (low > 0 or high < 0),
            )
            for label, value, low, high, one in found
        ),
    )


def over_frames(record: ComparisonRecord) -> list[Line]:
    """Mean accuracy over frames, of models that were shown several numbers of them; else nothing."""
    placed = _placed(record)
    counts = sorted({frames for frames, _, _ in placed})
    models = list(dict.fromkeys(model for _, model, _ in placed))
    if not any(len({frames for frames, model, _ in placed if model == one}) > 1 for one in models):
        return []
    lines = []
    for number, one in enumerate(models):
        points = []
        for frames, model, mean in sorted(placed, key=lambda each: each[0]):
            if model == one:
                low, high = mean.interval95 or (mean.value, mean.value)
                x = 100 * (counts.index(frames) + 0.5) / len(counts)
                said = f"{model}, {frames} frames: {percent(mean.value)}% {interval(mean.interval95)}"
                points.append(Point(x, 100 - mean.value, 100 - low, 100 - high, said))
        lines.append(Line(one, number, tuple(points)))
    return lines


def frame_counts(record: ComparisonRecord) -> list[tuple[float, int]]:
    """Place and number of each tick below `over_frames`."""
    counts = sorted({frames for frames, _, _ in _placed(record)})
    return [(100 * (at + 0.5) / len(counts), count) for at, count in enumerate(counts)]


def _placed(record: ComparisonRecord) -> list[tuple[int, str, EstimateRecord]]:
    """Frames, model and mean of every run that has both; a log of another program may have neither."""
    return [
        (run.num_frames, run.model, run.mean)
        for run in record.runs
        if run.num_frames is not None and run.mean is not None
    ]


def _of_kind(kind: KindRecord, names: Sequence[str]) -> Bars:
    title = _TITLES.get(kind.name, f"questions of the kind {kind.name}")
    found = tuple(
        _bar(score.run, names.index(score.run), score.accuracy, score.interval95) for score in kind.scores
    )
    return Bars(title, found, kind.chance)


def _bar(label: str, run: int, value: float, interval95: tuple[float, float] | None) -> Bar:
    low, high = interval95 or (value, value)
    return Bar(label, run, value, low, high, f"{percent(value)}% {interval(interval95)}".strip())
