"""What a comparison says in a few sentences: what won, by how much and how sure that is, at what cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sf_eval.core.tables import interval, percent, scaled, seconds, times
from sf_eval.report.comparison.record import ComparedRun, ComparisonRecord, GainRecord, PairRecord


def answer(record: ComparisonRecord) -> list[str]:
    """Sentences about the first run against each of the others; accuracy first, then cost."""
    return [*_accuracies(record), *costs(record)]


def _accuracies(record: ComparisonRecord) -> Iterator[str]:
    """One sentence each for the references that it beats, that beat it, and that it cannot be told from."""
    tested = record.runs[0].name
    of = _mean_of(record)
    judged = [(gain, gain.overall) for gain in record.gains if gain.overall is not None]
    for says, holds in (
        (f"{tested} is more accurate than", _is_better),
        (f"{tested} is less accurate than", _is_worse),
        (f"No difference in accuracy is shown between {tested} and", _is_undecided),
    ):
        which = [_difference(gain, pair) for gain, pair in judged if holds(pair)]
        if which:
            yield f"{says} {_listed(which)}, {of}."
    yield from (gain.verdict.sentence for gain in record.gains if gain.verdict and _has_no_mean(gain))
    unknown = [gain.reference for gain in record.gains if gain.overall is None and not _has_no_mean(gain)]
    if unknown:
        yield (
            f"The accuracies of {tested} and {_listed(unknown)} cannot be compared {of}: a benchmark has no "
            "question with a known answer that both answered."
        )


def _has_no_mean(gain: GainRecord) -> bool:
    """Nothing that both were asked is in the mean: the verdict says why."""
    return gain.overall is None and gain.mean_over == []


def _is_better(pair: PairRecord) -> bool:
    bounds = pair.difference.interval95
    return bounds is not None and bounds[0] > 0


def _is_worse(pair: PairRecord) -> bool:
    bounds = pair.difference.interval95
    return bounds is not None and bounds[1] < 0


def _is_undecided(pair: PairRecord) -> bool:
    """The interval holds 0, or there are too few videos for one."""
    return not _is_better(pair) and not _is_worse(pair)


def _difference(gain: GainRecord, pair: PairRecord) -> str:
    bounds = pair.difference.interval95
    sure = ", too few videos for an interval" if bounds is None else f" {interval(bounds)}"
    return (
        f"{gain.reference} ({percent(pair.tested)}% against {percent(pair.reference)}%: "
        f"{pair.difference.value:+.1f} points{sure})"
    )


def _mean_of(record: ComparisonRecord) -> str:
    titles = [column.title for column in record.benchmarks if column.in_mean]
    return f"on {titles[0]}" if len(titles) == 1 else f"in the mean over {len(titles)} benchmarks"


def costs(record: ComparisonRecord) -> Iterator[str]:
    """What a question cost the first run, and how that compares."""
    first, *others = record.runs
    if first.cost is None:
        return
    against = [phrase for other in others if (phrase := _cost_against(first, other))]
    yield (
        f"Per question {first.name} cost {_flops(first.cost.total_flops)}{seconds(first.cost.latency_s)}"
        + (f": {'; '.join(against)}." if against else ".")
    )


def _cost_against(one: ComparedRun, other: ComparedRun) -> str:
    if one.cost is None or other.cost is None or not other.cost.latency_s:
        return ""
    time = one.cost.latency_s / other.cost.latency_s
    if one.cost.total_flops is None or not other.cost.total_flops:
        return f"{times(time)} the time of {other.name}"
    flops = one.cost.total_flops / other.cost.total_flops
    return f"{times(flops)} the FLOPs and {times(time)} the time of {other.name}"


def _flops(total: float | None) -> str:
    return "" if total is None else f"{scaled(total, 'FLOP')} end to end and "


def _listed(phrases: Sequence[str]) -> str:
    """ "A", "A and B", "A, B and C"."""
    *before, last = phrases
    return f"{', '.join(before)} and {last}" if before else last
