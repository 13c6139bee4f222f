"""`comparison.svg`: mean accuracy over what a question costs, and over the frames shown."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from sf_eval.report.comparison.record import ComparedRun, ComparisonRecord


def svg(record: ComparisonRecord) -> str:
    """One panel, or two where a model was shown several numbers of frames. Same record, same bytes."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "sf-eval"
    from matplotlib import pyplot

    runs = [run for run in record.runs if run.mean is not None]
    models = list(dict.fromkeys(run.model for run in runs))
    colours = {model: f"C{number % 10}" for number, model in enumerate(models)}
    has_frames = any(
        len({run.num_frames for run in runs if run.model == model and run.num_frames}) > 1 for model in models
    )
    count = 2 if has_frames else 1
    figure, (panels,) = pyplot.subplots(1, count, figsize=(5.5 * count, 4.0), squeeze=False)
    _cost_panel(panels[0], runs, colours)
    if has_frames:
        _frames_panel(panels[1], runs, colours)
    untrained = [run.name for run in runs if run.untrained]
    said = f"\nuntrained: {', '.join(untrained)}" if untrained else ""
    figure.suptitle(record.data + said, fontsize=9, parse_math=False)
    figure.tight_layout()
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    pyplot.close(figure)
    return stream.getvalue()


def _cost_panel(panel: Any, runs: Sequence[ComparedRun], colours: dict[str, str]) -> None:
    """Every run with its interval, labelled by its name."""
    for run in runs:
        if run.cost is None or run.cost.prefill_flops is None or run.mean is None:
            continue
        place = (run.cost.prefill_flops, run.mean.value)
        _point(panel, place, run, colours[run.model])
        panel.annotate(
            run.name, place, fontsize=7, xytext=(4, 4), textcoords="offset points", parse_math=False
        )
    panel.set(title="mean over benchmarks", xlabel="prefill FLOPs per question", ylabel="accuracy %")
    panel.set_xscale("log")


def _frames_panel(panel: Any, runs: Sequence[ComparedRun], colours: dict[str, str]) -> None:
    """One line a model; runs of which nobody said how many frames they were shown are left out."""
    runs = [run for run in runs if run.num_frames]
    for model, colour in colours.items():
        own = sorted((run for run in runs if run.model == model), key=_frames)
        panel.plot(
            [_frames(run) for run in own],
            [run.mean.value for run in own if run.mean is not None],
            color=colour,
            label=model,
        )
        for run in own:
            if run.mean is not None:
                _point(panel, (_frames(run), run.mean.value), run, colour)
    frames = sorted({_frames(run) for run in runs})
    panel.set(title="mean over benchmarks", xlabel="frames shown", ylabel="accuracy %")
    panel.set_xscale("log", base=2)
    panel.set_xticks(frames, [str(count) for count in frames])
    panel.minorticks_off()
    for text in panel.legend(fontsize=7).get_texts():
        text.set_parse_math(False)


def _frames(run: ComparedRun) -> int:
    assert run.num_frames is not None
    return run.num_frames


def _point(panel: Any, place: tuple[float, float], run: ComparedRun, colour: str) -> None:
    assert run.mean is not None
    low, high = run.mean.interval95 or (run.mean.value, run.mean.value)
    spread = [[run.mean.value - min(low, run.mean.value)], [max(high, run.mean.value) - run.mean.value]]
    panel.errorbar(*place, yerr=spread, fmt="o", color=colour, capsize=3, linewidth=1)
