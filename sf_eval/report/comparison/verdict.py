"""Better, worse, no difference shown, or too few questions to tell: in a word and in a sentence.

`better` and `worse` are what the 95% interval of the paired, clustered bootstrap says; `tests/report/
test_verdicts.py` holds how often they come up to simulation.
"""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.core.tables import interval, percent
from sf_eval.report.comparison.record import EstimateRecord, PairRecord, VerdictName, VerdictRecord
from sf_eval.scoring.paired import FEWEST

TELL = 5.0
"""Percentage points that one wants to be able to tell, where nobody says otherwise."""
_HOLM_LEVEL = 0.05


def verdict_name(difference: EstimateRecord, detectable: float | None, tell: float) -> VerdictName:
    """What a difference in percentage points says.

    Args:
        detectable: the smallest true difference that would have been seen with a power of 80%.
        tell: where that is more than this, there are too few questions; unless they show a difference.

    Fewer than `FEWEST` videos have no interval, and so are too few.
    """
    bounds = difference.interval95
    if bounds is None or detectable is None:
        return "too_few"
    if bounds[0] > 0:
        return "better"
    if bounds[1] < 0:
        return "worse"
    return "too_few" if detectable > tell else "no_difference"


def verdict(
    tested: str,
    reference: str,
    pair: PairRecord | None,
    by_benchmark: Sequence[tuple[str, PairRecord]],
    *,
    where: str,
    why_not: str,
    tell: float,
    needed: int | None,
) -> VerdictRecord:
    """The verdict on the mean.

    Args:
        pair: of the mean; None where there is nothing to compare.
        by_benchmark: titles and pairs, for what Holm's rule leaves of them.
        where: "on Video-MME", "in the mean over 5 benchmarks".
        why_not: why there is no `pair`, where there is none.
        needed: how many such videos show a difference of `tell` points; None where that cannot be told.
    """
    if pair is None:
        return VerdictRecord(
            verdict="too_few",
            sentence=f"{tested} and {reference} cannot be compared {where}: {why_not}.",
        )
    name = verdict_name(pair.difference, pair.detectable, tell)
    said = {
        "better": f"{tested} is better than {reference} {where}: {_numbers(pair)}.",
        "worse": f"{tested} is worse than {reference} {where}: {_numbers(pair)}.",
        "no_difference": f"No difference is shown between {tested} and {reference} {where}: "
        f"{_numbers(pair)}. With these {pair.videos} videos {percent(pair.detectable)} points would have "
        "been seen (power 80%).",
        "too_few": f"Too few questions to tell {tested} from {reference} {where}: {_numbers(pair)}. "
        f"{_enough(pair, tell, needed)}",
    }[name]
    return VerdictRecord(verdict=name, sentence=" ".join(filter(None, (said, _holm(by_benchmark)))))


def _numbers(pair: PairRecord) -> str:
    sure = "" if pair.difference.interval95 is None else f" {interval(pair.difference.interval95)}"
    p_value = "" if pair.p_value is None else f", p = {_p(pair.p_value)}"
    return (
        f"{pair.difference.value:+.1f} points{sure} ({percent(pair.tested)}% against "
        f"{percent(pair.reference)}%{p_value}; {pair.n} questions about {pair.videos} videos)"
    )


def _enough(pair: PairRecord, tell: float, needed: int | None) -> str:
    """How many videos would do."""
    if pair.detectable is None or needed is None:
        return f"{pair.videos} videos give no interval."
    enough = f"{tell:g} points take about {needed} such videos."
    if pair.difference.interval95 is None:
        return f"Fewer than {FEWEST} videos show no difference, however large; {enough}"
    return (
        f"These {pair.videos} videos show differences from {percent(pair.detectable)} points (power 80%); "
        f"{enough}"
    )


def _holm(by_benchmark: Sequence[tuple[str, PairRecord]]) -> str:
    if len(by_benchmark) < 2:
        return ""
    sure = [(title, pair) for title, pair in by_benchmark if (pair.p_holm or 1.0) < _HOLM_LEVEL]
    if not sure:
        return f"On none of the {len(by_benchmark)} benchmarks by itself (Holm)."
    named = ", ".join(f"{title} {pair.difference.value:+.1f}" for title, pair in sure)
    return f"By itself, on {named} (Holm over {len(by_benchmark)} benchmarks)."


def _p(value: float) -> str:
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"
