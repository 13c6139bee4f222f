"""The report as one table in markdown, and figures as people read them."""

from __future__ import annotations

from benchmarks.gpu.report import Report, Row, StepRecord

_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "bytes": ((2.0**30, "GiB"), (2.0**20, "MiB")),
    "FLOP/s": ((1e12, "TFLOP/s"), (1e9, "GFLOP/s")),
    "byte/s": ((1e12, "TB/s"), (1e9, "GB/s")),
}
_PLAIN = {"%": "%", "1/s": "/s", "token/s": "tokens/s", "x": "x", "frames": "frames", "count": ""}


def shown(value: float | None, unit: str) -> str:
    """Three significant digits in the unit that suits the size: 0.0123 s -> "12.3 ms"."""
    if value is None:
        return "-"
    if unit in _PLAIN:
        digits = f"{value:.0f}" if unit in ("frames", "count") else three_digits(value)
        return f"{digits} {_PLAIN[unit]}".strip()
    factor, name = next((scale for scale in _SCALES[unit] if abs(value) >= scale[0]), _SCALES[unit][-1])
    return f"{three_digits(value / factor)} {name}"


def three_digits(value: float) -> str:
    if value == 0:
        return "0"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(report: Report) -> str:
    """One table of all figures, then one line a step."""
    lines = [f"# {'Rehearsal on a CPU' if report.dry else report.card or 'Unknown device'}", ""]
    if report.dry:
        lines += ["**A rehearsal with the mini model: none of these figures says anything of a GPU.**", ""]
    so_far = "" if report.finished else " so far (**cut off, or still running**)"
    lines += [
        f"{report.created}, commit {report.commit}, source {report.source_sha256[:12]}, "
        f"{report.seconds:.0f} s{so_far}",
        "",
        f"`{report.command}`",
        "",
        "| step | what | figure | n | to reach | | note |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for step in report.steps:
        lines += [_line(step.name, row) for row in step.rows]
        if step.status not in ("ok", "running"):
            lines.append(_cells(step.name, f"the step itself: {step.status}", "-", "", "", "", step.reason))
    lines += ["", "Steps: " + "; ".join(_step(step) for step in report.steps) + "."]
    return "\n".join(lines) + "\n"


def target(row: Row) -> str:
    parts = []
    if row.at_least is not None:
        parts.append(f"≥ {shown(row.at_least, row.unit)}")
    if row.at_most is not None:
        parts.append(f"≤ {shown(row.at_most, row.unit)}")
    return ", ".join(parts)


def verdict(row: Row) -> str:
    """ "met", or by how much it is missed."""
    if row.met is None:
        return ""
    if row.met:
        return "met"
    assert row.value is not None
    bound = row.at_most if row.at_most is not None and row.value > row.at_most else row.at_least
    assert bound is not None
    return f"**missed by {shown(abs(row.value - bound), row.unit)}**"


def _line(step: str, row: Row) -> str:
    count = str(row.n) if row.n else ""
    return _cells(step, row.what, shown(row.value, row.unit), count, target(row), verdict(row), row.note)


def _cells(*cells: str) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _step(step: StepRecord) -> str:
    return f"{step.name} {step.status}, {step.seconds:.0f} of {step.limit_s:.0f} s"
