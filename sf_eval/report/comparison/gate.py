"""`--gate "videomme>=-1.0,mean>=0"`: whether differences are as a project wants them, for CI."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from sf_eval.core.errors import UsageError, nearest
from sf_eval.core.tables import interval
from sf_eval.report.comparison.apart import WHY
from sf_eval.report.comparison.record import ComparisonRecord, GainRecord, PairRecord

MEAN = "mean"
_ROUNDING = 1e-9
"""Points that a difference of percentages may be off by: 27 less 28 of 50 are not -2 to the last digit."""
_CONDITION = re.compile(r"\s*(?P<of>[\w.-]+)\s*(?P<sign>>=|>)\s*(?P<bound>[+-]?\d+(\.\d+)?)\s*")


class GateBy(str, Enum):
    """Which number must be above the bound: the difference, or an end of its 95% interval."""

    estimate = "estimate"
    low = "low"
    high = "high"


@dataclass(frozen=True)
class Condition:
    """A benchmark's difference (or the mean's), in percentage points, and how large it must be."""

    of: str
    strict: bool
    bound: float

    def holds(self, value: float) -> bool:
        if self.strict:
            return value > self.bound + _ROUNDING
        return value >= self.bound - _ROUNDING

    def __str__(self) -> str:
        return f"{self.of}{'>' if self.strict else '>='}{self.bound:g}"


@dataclass(frozen=True)
class Gated:
    """Whether the gate opens, and why in a sentence."""

    passed: bool
    sentence: str


def parse_gate(text: str) -> list[Condition]:
    """The conditions of a comma-separated list.

    Raises:
        UsageError: one that is no NAME>=POINTS or NAME>POINTS.
    """
    conditions = []
    for part in text.split(","):
        if (found := _CONDITION.fullmatch(part)) is None:
            raise UsageError(
                f"--gate: {part.strip()!r} is no condition.", hint="Write it as in videomme>=-1.0,mean>=0."
            )
        conditions.append(Condition(found["of"], found["sign"] == ">", float(found["bound"])))
    return conditions


def check_names(conditions: Sequence[Condition], record: ComparisonRecord) -> None:
    """Refuse conditions on what is not compared.

    Raises:
        UsageError: no such benchmark in the comparison.
    """
    known = [MEAN, *(column.name for column in record.benchmarks)]
    for condition in conditions:
        if condition.of not in known:
            raise UsageError(f"--gate: {condition.of} is not compared.", hint=nearest(condition.of, known))


def gated(conditions: Sequence[Condition], record: ComparisonRecord, by: GateBy) -> Gated:
    """Every condition must hold against every reference; what cannot be told does not hold."""
    apart = {each.name: WHY[each.incomparable] for each in record.benchmarks if each.incomparable}
    each = [
        found
        for gain in record.gains
        for condition in conditions
        for found in _check(condition, gain, by, why_not=apart.get(condition.of, ""))
    ]
    failed = [sentence for passed, sentence in each if not passed]
    verdicts = " ".join(gain.verdict.sentence for gain in record.gains if gain.verdict)
    said = "; ".join(failed or [sentence for _, sentence in each])
    return Gated(not failed, f"Gate {'closed' if failed else 'open'}: {said}. {verdicts}")


def _check(condition: Condition, gain: GainRecord, by: GateBy, *, why_not: str) -> Iterator[tuple[bool, str]]:
    pair = _pair(condition.of, gain)
    versus = f"{condition} against {gain.reference}"
    value = None if pair is None else _value(pair, by)
    if pair is None or value is None:
        yield False, f"{versus} cannot be told{f', as {condition.of} is {why_not}' if why_not else ''}"
        return
    bounds = pair.difference.interval95
    passed = condition.holds(value)
    unsure = bounds is not None and condition.holds(bounds[0]) != condition.holds(bounds[1])
    yield (
        passed,
        f"{versus} {'holds' if passed else 'does not hold'}: {pair.difference.value:+.1f} "
        f"{interval(bounds)}{', which the interval does not settle' if unsure else ''}",
    )


def _pair(of: str, gain: GainRecord) -> PairRecord | None:
    if of == MEAN:
        return gain.overall
    return next((pair for pair in gain.by_benchmark if pair.benchmark == of), None)


def _value(pair: PairRecord, by: GateBy) -> float | None:
    if by is GateBy.estimate:
        return pair.difference.value
    bounds = pair.difference.interval95
    return None if bounds is None else bounds[0 if by is GateBy.low else 1]
