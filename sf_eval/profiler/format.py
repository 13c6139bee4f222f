"""Numbers for people."""

from __future__ import annotations

from sf_eval.profiler.closed_form import Unit

_PREFIXES = ((10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))


def work(flops: float, unit: Unit) -> str:
    """`flops` in the unit's own count with a prefix: 2.004 TFLOP, 1.002 TMAC."""
    value = flops * unit.per_mac / 2
    for size, prefix in _PREFIXES:
        if value >= size:
            return f"{value / size:.4g} {prefix}{unit.name}"
    return f"{value:.0f} {unit.name}"


def scale_for(flops: float, unit: Unit) -> tuple[int, str]:
    """Power and name that suit `flops`, for columns that share one unit: (10**12, "TFLOP")."""
    value = flops * unit.per_mac / 2
    power, prefix = next(((power, prefix) for power, prefix in _PREFIXES if value >= power), (1, ""))
    return power, f"{prefix}{unit.name}"


def scaled(flops: float, unit: Unit, power: int) -> str:
    """`flops` in `power` of the unit."""
    value = flops * unit.per_mac / 2 / power
    if value == 0:
        return "0"
    return f"{value:.3g}" if value < 10 else f"{value:.4g}"


def size(count: float) -> str:
    """Bytes in binary units."""
    for power, name in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:.3g} {name}"
    return f"{count:.0f} B"


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "0.0%"


def ratio(value: float) -> str:
    """1.0196 -> "+1.96%"; from a factor of two on, "x5.40"."""
    if 0.5 < value < 2:
        return f"{100 * (value - 1):+.2f}%"
    return f"x{value:.2f}" if value >= 0.1 else f"x{value:.2g}"


def seconds(value: float | None) -> str:
    """A duration; what was not measured says so."""
    if value is None:
        return "not measured"
    if value >= 1:
        return f"{value:.2f} s"
    return f"{1e3 * value:.2f} ms" if value >= 1e-3 else f"{1e6 * value:.1f} µs"
