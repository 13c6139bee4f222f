"""Accuracy against cost of all runs that lie beside each other: which model is worth its FLOPs?"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sf_eval.benchmarks import catalog
from sf_eval.core.tables import Table, percent, scaled, seconds
from sf_eval.harness.record import RunRecord
from sf_eval.harness.recording import RESULTS, SAMPLES
from sf_eval.report.leaderboard import Entry, data_label, entries
from sf_eval.report.model_label import model_label
from sf_eval.report.settled import settled_by, settled_notes
from sf_eval.scoring.outcome import Outcome

PROFILE = "profile.json"


@dataclass(frozen=True)
class Point:
    """One model on one benchmark.

    Attributes:
        flops, latency_s: means per question; a batch's prefill and decoding are divided among its samples.
        settled: by what its open answers were settled, in a sentence; "" where letters did.
    """

    model: str
    benchmark: str
    accuracy: float
    n: int
    flops: float
    latency_s: float
    run: str
    settled: str = ""


def collect(record: RunRecord, folder: Path) -> list[Point]:
    """The points of every run beside `folder` on the same data and the same questions, this one's included.

    The same questions are those that have a judged answer: as many are not enough, since another one may have
    failed in each run. Where a judge or a lexicon said what is right, it is the same one.
    """
    own = _judged(folder)
    asked = {entry.title: _questions(entry, own, record) for entry in entries(record)}
    points: list[Point] = []
    for results in sorted(folder.parent.glob(f"*/{RESULTS}")):
        other, profile = _read(results)
        if other is None or profile is None or data_label(other) != data_label(record):
            continue
        judged = _judged(results.parent)
        same = [
            entry for entry in entries(other) if _questions(entry, judged, other) == asked.get(entry.title)
        ]
        points.extend(_points(other, same, profile, results.parent.name))
    return points


def table(points: list[Point], data: str) -> Table:
    """One row a point; a point is on the front if no other is both cheaper and at least as right."""
    rows = tuple(
        (
            point.benchmark,
            point.model,
            percent(point.accuracy),
            str(point.n),
            scaled(point.flops),
            seconds(point.latency_s),
            "yes" if on_front(point, points) else "no",
            point.run,
        )
        for point in sorted(points, key=lambda point: (point.benchmark, point.flops, -point.accuracy))
    )
    return Table(
        title=f"Accuracy against cost: {data}",
        columns=(
            "benchmark",
            "model",
            "accuracy %",
            "n",
            "FLOPs per question",
            "latency per question",
            "Pareto front",
            "run",
        ),
        rows=rows,
        numeric=frozenset({"accuracy %", "n", "FLOPs per question", "latency per question"}),
        notes=(
            "The front is by accuracy and FLOPs, of the runs beside this one on the same questions, "
            "judged by the same judge where one was asked.",
            *dict.fromkeys(point.settled for point in points if point.settled),
        ),
    )


def on_front(point: Point, points: list[Point]) -> bool:
    """No other point of the benchmark is at least as cheap and as right, and better in one of both."""
    return not any(
        other.flops <= point.flops
        and other.accuracy >= point.accuracy
        and (other.flops < point.flops or other.accuracy > point.accuracy)
        for other in points
        if other.benchmark == point.benchmark
    )


def svg(points: list[Point], data: str) -> str:
    """One panel a benchmark: accuracy over FLOPs; points on the front are filled."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sf-eval"  # the same points give the same file
    from matplotlib import pyplot

    benchmarks = list(dict.fromkeys(point.benchmark for point in points))
    figure, panels = pyplot.subplots(1, len(benchmarks), figsize=(4.5 * len(benchmarks), 3.6), squeeze=False)
    for panel, benchmark in zip(panels[0], benchmarks, strict=True):
        for point in (point for point in points if point.benchmark == benchmark):
            face = "tab:blue" if on_front(point, points) else "none"
            panel.scatter(point.flops, point.accuracy, facecolors=face, edgecolors="tab:blue")
            panel.annotate(
                point.model,
                (point.flops, point.accuracy),
                fontsize=7,
                xytext=(4, 4),
                textcoords="offset points",
            )
        panel.set(title=benchmark, xlabel="FLOPs per question", ylabel="accuracy %", xscale="log")
    figure.suptitle(data, fontsize=9, parse_math=False)
    figure.tight_layout()
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return stream.getvalue()


def _read(results: Path) -> tuple[RunRecord | None, dict[str, Any] | None]:
    """A neighbour's record and profile; None for what is not a complete run of ours."""
    try:
        record = RunRecord.model_validate_json(results.read_text(encoding="utf-8"))
        profile = json.loads((results.parent / PROFILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, ValidationError):
        return None, None
    is_ours = isinstance(profile, dict) and {"flops", "latency", "batch_size", "resumed"} <= set(profile)
    known = set(catalog.benchmark_names())  # another version, or $SF_EVAL_TASKS, may have asked others
    is_ours = is_ours and all(task.task in known for task in record.tasks)
    return (record, profile) if record.complete and is_ours else (None, None)


Question = tuple[str, str, str, str | None]  # task, the benchmark's own id, video, right letter


def _judged(folder: Path) -> list[Question]:
    """The questions of the run in `folder` that have a judged answer; none where that cannot be read."""
    judged: list[Question] = []
    try:
        with (folder / SAMPLES).open(encoding="utf-8", newline="\n") as stream:
            for line in stream:
                sample = json.loads(line)
                if Outcome(sample["outcome"]).is_scored:
                    judged.append((sample["task"], sample["question_id"], sample["video"], sample["target"]))
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return judged


def _questions(entry: Entry, judged: list[Question], record: RunRecord) -> tuple[frozenset[Any], ...]:
    """Those of the entry's tasks, and by whom or what these were settled."""
    tasks = [task for task in record.tasks if task.task in entry.tasks]
    return (
        frozenset(question for question in judged if question[0] in entry.tasks),
        frozenset((task.task, settled_by(task)) for task in tasks),
    )


def _points(record: RunRecord, chosen: Sequence[Entry], profile: dict[str, Any], run: str) -> list[Point]:
    points = []
    for entry in chosen:
        rows = _rows(profile, entry, record)
        questions = sum(row["questions"] for row in rows)
        if entry.score.accuracy is None or not questions:
            continue
        points.append(
            Point(
                model=model_label(record),
                benchmark=entry.title,
                accuracy=entry.score.accuracy,
                n=entry.score.n,
                flops=sum(row["flops"]["total_flops"] * row["questions"] for row in rows) / questions,
                latency_s=sum(row["seconds"] * row["questions"] for row in rows) / questions,
                run=run,
                settled=" ".join(settled_notes(task for task in record.tasks if task.task in entry.tasks)),
            )
        )
    return points


def _rows(profile: dict[str, Any], entry: Entry, record: RunRecord) -> list[dict[str, Any]]:
    """The profile's rows of the entry: of its task, or of its group's tasks together."""
    titles = {task.title for task in record.tasks if task.task in entry.tasks}
    return [row for row in profile["flops"] if row["who"] == "model" and row["group"] in titles]
