"""Numbers for people."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.core import tables
from sf_eval.profiler.cost.closed_form import Unit


def work(flops: float, unit: Unit) -> str:
    """`flops` in the unit's own count with a prefix: 2.004 TFLOP, 1.002 TMAC."""
    return tables.scaled(flops * unit.per_mac / 2, unit.name, digits=4)


def scale_for(flops: float, unit: Unit) -> tuple[float, str]:
    """Power and name that suit `flops`, for columns that share one unit: (1e12, "TFLOP")."""
    value = flops * unit.per_mac / 2
    power, prefix = next(
        ((power, prefix) for power, prefix in tables.SI_PREFIXES if value >= power), (1.0, "")
    )
    return power, f"{prefix}{unit.name}"


def scaled(flops: float, unit: Unit, power: float) -> str:
    """`flops` in `power` of the unit."""
    value = flops * unit.per_mac / 2 / power
    return tables.significant(value, 3 if value < 10 else 4)


def size(count: float) -> str:
    """Bytes in binary units."""
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{tables.significant(count / 1024**power)} {name}"
    return f"{count:.0f} B"


def share(part: float, whole: float) -> str:
    """92.4%; below 1% two digits, so that a small part is told from none: 0.13%."""
    percent = 100 * part / whole if whole else 0.0
    if 0 < percent < 0.001:
        return "<0.001%"
    return f"{tables.significant(percent, 2)}%" if 0 < percent < 0.95 else f"{percent:.1f}%"


def change(ratio: float) -> str:
    """A ratio as the change that it is, everywhere: 1.0196 -> "+1.96%", 5.43 -> "+443.0%", 0.25 -> "-75.00%".

    As many digits as it takes that no difference reads as none, and nothing that is left as nothing.
    """
    percent = 100 * (ratio - 1)
    if percent >= 100:
        return f"{percent:+,.1f}%" if percent < 1000 else f"{percent:+,.0f}%"
    for digits in range(2, 9):
        text = f"{percent:+.{digits}f}"
        if ratio == 1 or float(text) not in (0, -100):
            break
    return "0.00%" if ratio == 1 else f"{text}%"


def listed(items: Sequence[str]) -> str:
    """As a sentence has it: a, b and c."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def marked(frames: int, exceeds_context: bool) -> str:
    """A number of frames; with `MARK` where the prompt is longer than the model takes."""
    return f"{frames}{MARK}" if exceeds_context else str(frames)


MARK = "†"
"""Stands behind frames whose prompt exceeds the model's context."""
