"""What the speed benchmarks (`benchmarks/throughput.py`, `decoding.py`) measured, as tables for README.md."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from sf_eval.core.tables import Table

Spread = tuple[float, float, float]
"""Median, least, most."""


class _Read(BaseModel):
    """A record of a benchmark, of which only what is shown is read."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class ThroughputRow(_Read):
    questions_per_video: int
    order: str
    questions: int
    loop_per_s: Spread
    engine_per_s: Spread
    times_faster: Spread
    equal_answers: int
    waited: float


class Throughput(_Read):
    """`results/benchmarks/throughput.json`."""

    command: str
    model: str
    dtype: str
    frames: int
    loop_threads: int | None = None
    machine: dict[str, Any]
    rows: tuple[ThroughputRow, ...]


class DecodingRow(_Read):
    clip: str
    way: str
    wall_s: float
    cpu_s: float
    times_faster: Spread
    cpu_times_faster: Spread
    equal: bool


class Decoding(_Read):
    """`results/benchmarks/decoding.json`."""

    command: str
    frames: int
    codec: str
    machine: dict[str, Any]
    rows: tuple[DecodingRow, ...]


def throughput_table(record: Throughput) -> Table:
    """One row a workload: a straightforward loop against the engine."""
    columns = (
        "questions per video", "order", "loop, per second", "engine, per second", "times as fast",
        "waited for videos", "equal answers",
    )  # fmt: skip
    rows = tuple(
        (
            str(row.questions_per_video),
            row.order,
            f"{row.loop_per_s[0]:.2f}",
            f"{row.engine_per_s[0]:.2f}",
            _times(row.times_faster),
            f"{100 * row.waited:.0f}%",
            f"{row.equal_answers} of {row.questions}",
        )
        for row in record.rows
    )
    return Table(
        title="Questions per second",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns) - {"order"},
        notes=(
            f"{record.model}, {record.frames} frames, {record.dtype}{_threads(record)}; "
            f"{_where(record.machine)}: {record.command}",
        ),
    )


def decoding_table(record: Decoding) -> Table:
    """One row a clip and way to decode it; times as fast as decoding in order."""
    columns = ("clip", "way", "seconds", "processor seconds", "times as fast", "in processor time", "frames")
    rows = tuple(
        (
            row.clip,
            row.way,
            f"{row.wall_s:.1f}",
            f"{row.cpu_s:.1f}",
            _times(row.times_faster),
            _times(row.cpu_times_faster),
            "equal" if row.equal else "other",
        )
        for row in record.rows
    )
    return Table(
        title="Decoding",
        columns=columns,
        rows=rows,
        numeric=frozenset(columns[2:6]),
        notes=(f"{record.frames} frames, {record.codec}; {_where(record.machine)}: {record.command}",),
    )


def _times(spread: Spread) -> str:
    """Median with the least and most of all rounds, as intervals have bounds; of one round, its figure."""
    median, least, most = spread
    if least == most:
        return f"{median:.1f}"
    return f"{median:.1f} [{least:.1f}, {most:.1f}]"


def _threads(record: Throughput) -> str:
    return "" if record.loop_threads is None else f", threads of the loop's torch: {record.loop_threads}"


def _where(machine: dict[str, Any]) -> str:
    """The processor or GPU, its cores, and how busy it was with other work."""
    name = machine.get("gpu") or machine.get("processor", "unknown")
    cores = f", {machine['cores']} cores" if "cores" in machine else ""
    load = machine.get("load_average_1_min")
    return f"{name}{cores}" + (f", load average {load} when it ended" if load is not None else "")
