"""`frames_at_budget.svg`: relative accuracy over frames at one budget of the LLM, beside rivals'."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from sf_eval.core.paths import published_results
from sf_eval.report.comparison.record import ComparedRun, ComparisonRecord

_SAME = 0.01  # visual tokens that differ by less are one budget
_MARKERS = "sDv^P*X"


@dataclass(frozen=True)
class PublishedPoint:
    """More frames at one LLM budget, as its authors report it.

    Attributes:
        relative_accuracy: percent of what the plain model has on `reference_frames`.
    """

    system: str
    venue: str
    model: str
    frames: int
    reference_frames: int
    budget: str
    relative_accuracy: float
    source: str


@dataclass(frozen=True)
class BudgetPoint:
    """One of our runs; percent of the accuracy of the run with the fewest frames at the same budget."""

    run: str
    frames: int
    relative_accuracy: float
    interval95: tuple[float, float] | None


def published_points() -> list[PublishedPoint]:
    """The rows of `results/published/frames_at_budget.csv`."""
    with (published_results() / "frames_at_budget.csv").open(encoding="utf-8", newline="") as stream:
        return [
            PublishedPoint(
                system=row["system"],
                venue=row["venue"],
                model=row["model"],
                frames=int(row["frames"]),
                reference_frames=int(row["reference_frames"]),
                budget=row["budget"],
                relative_accuracy=float(row["relative_accuracy"]),
                source=row["source"],
            )
            for row in csv.DictReader(stream)
        ]


def measured_points(record: ComparisonRecord) -> list[BudgetPoint]:
    """The runs whose prompts hold as many visual tokens as the first one's, by frames.

    Empty where they are not shown two numbers of frames, or one of them has no mean.
    """
    first = record.runs[0].community
    if first is None or not first.visual_tokens:  # not known, or no video in the prompt: no budget
        return []
    budget = first.visual_tokens
    same = [run for run in record.runs if run.mean is not None and _has_budget(run, budget)]
    same.sort(key=_frames)
    if len({_frames(run) for run in same}) < 2 or same[0].mean is None or not same[0].mean.value:
        return []
    return [_point(run, same[0], record) for run in same]


def budget_svg(record: ComparisonRecord) -> str | None:
    """The plot; None where the runs give no two points. Same record, same bytes."""
    points = measured_points(record)
    if not points:
        return None
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sf-eval"
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(6.5, 4.2))
    spread = [_spread(point) for point in points]
    panel.errorbar(
        [point.frames for point in points],
        [point.relative_accuracy for point in points],
        yerr=[[low for low, _ in spread], [high for _, high in spread]],
        fmt="o-",
        color="C0",
        capsize=3,
        label=f"measured: {record.runs[0].title}",
    )
    _draw_published(panel, published_points())
    panel.axhline(100, color="0.6", linewidth=0.8)
    ticks = sorted({point.frames for point in points} | {point.frames for point in published_points()})
    panel.set_xscale("log", base=2)
    panel.set_xticks(ticks, [str(tick) for tick in ticks], rotation=45)
    panel.minorticks_off()
    panel.set(xlabel="frames shown", ylabel="% of the accuracy on the fewest frames")
    panel.set_title(
        f"{record.data}; hollow: reported, on other data and models", fontsize=8, parse_math=False
    )
    for text in panel.legend(fontsize=7).get_texts():
        text.set_parse_math(False)
    figure.tight_layout()
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return stream.getvalue()


def _draw_published(panel: object, points: Sequence[PublishedPoint]) -> None:
    """Hollow and dashed, a mark a system: nobody takes them for measured here."""
    for number, system in enumerate(dict.fromkeys(point.system for point in points)):
        own = [point for point in points if point.system == system]
        panel.plot(  # type: ignore[attr-defined]
            [own[0].reference_frames, *(point.frames for point in own)],
            [100.0, *(point.relative_accuracy for point in own)],
            linestyle="--",
            marker=_MARKERS[number % len(_MARKERS)],
            markerfacecolor="none",
            color=f"C{1 + number % 9}",
            label=f"reported: {system} ({own[0].venue}), of {own[0].reference_frames} frames",
        )


def _has_budget(run: ComparedRun, tokens: float) -> bool:
    own = None if run.community is None else run.community.visual_tokens
    return own is not None and abs(own - tokens) <= _SAME * tokens


def _frames(run: ComparedRun) -> int:
    return run.num_frames or 0


def _point(run: ComparedRun, reference: ComparedRun, record: ComparisonRecord) -> BudgetPoint:
    """With the interval of the paired gain, where the comparison has it."""
    assert run.mean is not None
    assert reference.mean is not None
    gain = next(
        (gain for gain in record.gains if (gain.tested, gain.reference) == (run.name, reference.name)), None
    )
    relative = gain.overall.relative if gain and gain.overall else None
    bounds = relative.interval95 if relative else None
    return BudgetPoint(
        run=run.name,
        frames=_frames(run),
        relative_accuracy=100 * run.mean.value / reference.mean.value,
        interval95=None if bounds is None else (100 + bounds[0], 100 + bounds[1]),
    )


def _spread(point: BudgetPoint) -> tuple[float, float]:
    low, high = point.interval95 or (point.relative_accuracy,) * 2
    return max(0.0, point.relative_accuracy - low), max(0.0, high - point.relative_accuracy)
