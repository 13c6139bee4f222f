"""Numbers for people."""

from __future__ import annotations

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
    return f"{100 * part / whole:.1f}%" if whole else "0.0%"


def ratio(value: float) -> str:
    """1.0196 -> "+1.96%"; from a factor of two on, "x5.40"."""
    if 0.5 < value < 2:
        return f"{100 * (value - 1):+.2f}%"
    return f"x{value:.2f}" if value >= 0.1 else f"x{value:.2g}"
