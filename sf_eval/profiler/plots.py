"""Plots as SVG and PNG, without a display.

Text and axes are drawn in one ink colour. In an SVG that goes into a page the ink becomes `currentColor`, so
that the plot follows the light or dark theme of the page.
"""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from sf_eval.profiler import format as fmt
from sf_eval.profiler.closed_form import Unit
from sf_eval.profiler.record import Growth, Profile, ProfileRow
from sf_eval.profiler.tables import part_flops

_INK = "#555a61"
COLOURS = {"slow-fast": "#2f7fd1", "baseline": "#d9762b"}

# Groups of the bar charts: name, colour, keys of `ProfileRow.breakdown`.
GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("vision tower", "#7b8ea8", ("vision",)),
    ("projector, pooling", "#b7a1d6", ("projector", "pooling")),
    ("LLM: projections, MLP, logits", "#2f7fd1",
     ("prefill_attention_projections", "prefill_mlp", "prefill_logits")),
    ("LLM: self-attention", "#3aa99f", ("prefill_self_attention",)),
    ("LLM: cross-attention to slow tokens", "#d9762b",
     ("prefill_cross_kv_projection", "prefill_cross_attention", "prefill_cross_gate")),
    ("decoding", "#c9567a", ("decode",)),
)  # fmt: skip


def available() -> bool:
    """Whether matplotlib is installed: a machine that only measures needs no plots."""
    return importlib.util.find_spec("matplotlib") is not None


def growth_figure(profile: Profile) -> Any:
    """Prefill, end-to-end work and memory over frames, both axes logarithmic."""
    figure, axes = _figure(3, width=12.5)
    power, name = fmt.scale_for(profile.main.total_flops, Unit(profile.unit))
    factor = Unit(profile.unit).per_mac / 2 / power
    _lines(axes[0], profile.growth, ("prefill",), factor)
    axes[0].set_title("LLM prefill")
    axes[0].set_ylabel(name)
    _lines(axes[1], profile.growth, ("end to end",), factor)
    axes[1].set_title("End to end")
    axes[1].set_ylabel(name)
    _lines(axes[2], profile.growth, ("KV cache", "slow-token memory"), 1 / 2**20)
    axes[2].set_title("Memory that grows with the video")
    axes[2].set_ylabel("MiB")
    return figure


def _lines(axis: Any, growth: Growth, quantities: tuple[str, ...], scale: float) -> None:
    first = growth.series[0].model
    for series in growth.series:
        if series.quantity not in quantities:
            continue
        colour = COLOURS["slow-fast" if series.model == first else "baseline"]
        dashed = series.quantity == "slow-token memory"
        label = series.model if len(quantities) == 1 else f"{series.model}: {series.quantity}"
        axis.plot(
            growth.frames,
            [value * scale for value in series.values],
            color=colour,
            linestyle="--" if dashed else "-",
            marker="o",
            markersize=3,
            label=label,
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    ticks = [count for count in growth.frames if count & (count - 1) == 0] + [growth.frames[-1]]
    axis.set_xticks(ticks, [str(count) for count in ticks], rotation=45)
    axis.minorticks_off()
    axis.set_xlabel("frames")
    axis.legend(frameon=False, fontsize=8)


def breakdown_figure(profile: Profile) -> Any:
    """Stacked bars of the model and what it is compared with: end to end, and the prefill alone."""
    rows = [profile.main, *profile.against]
    figure, axes = _figure(2, width=12.5, height=1.6 + 0.5 * len(rows))
    power, name = fmt.scale_for(profile.main.total_flops, Unit(profile.unit))
    scale = Unit(profile.unit).per_mac / 2 / power
    _bars(axes[0], rows, GROUPS, scale)
    axes[0].set_title("End to end")
    _bars(axes[1], rows, [group for group in GROUPS if group[0].startswith("LLM")], scale)
    axes[1].set_title("LLM prefill (the paper's claim)")
    for axis in axes:
        axis.set_xlabel(name)
    axes[0].legend(frameon=False, fontsize=7, loc="best")
    return figure


def _bars(axis: Any, rows: list[ProfileRow], groups: Any, scale: float) -> None:
    labels = [f"{row.model}\n{row.frames} frames" for row in rows]
    left = [0.0] * len(rows)
    for name, colour, keys in groups:
        widths = [part_flops(row, keys) * scale for row in rows]
        axis.barh(range(len(rows)), widths, left=left, color=colour, label=name, height=0.62)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axis.set_yticks(range(len(rows)), labels)
    axis.invert_yaxis()


def _figure(columns: int, *, width: float, height: float = 3.6) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns)
    for axis in axes:
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axis.spines[side].set_color(_INK)
        axis.tick_params(colors=_INK, labelsize=8)
        axis.title.set_color(_INK)
        axis.xaxis.label.set_color(_INK)
        axis.yaxis.label.set_color(_INK)
        axis.grid(True, color="#88888833", linewidth=0.6)
        axis.set_axisbelow(True)
    return figure, axes


def to_svg(figure: Any) -> str:
    """A whole SVG document; the same figure gives the same bytes."""
    import matplotlib

    out = io.StringIO()
    # Text stays text: it can be searched and read aloud. A fixed salt keeps ids the same from run to run.
    with matplotlib.rc_context(
        {"svg.fonttype": "none", "svg.hashsalt": "sf-eval", "font.family": "sans-serif"}
    ):
        _ink_legends(figure)
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return out.getvalue()


def to_png(figure: Any) -> bytes:
    """On white, 150 dots an inch."""
    out = io.BytesIO()
    _ink_legends(figure)
    figure.savefig(out, format="png", dpi=150, facecolor="white")
    return out.getvalue()


def inline_svg(svg: str) -> str:
    """The `<svg>` element alone, its ink the page's text colour and its size the page's."""
    element = svg[svg.index("<svg") :].replace(_INK, "currentColor")
    head, rest = element.split(">", 1)
    attributes = [part for part in head.split() if not part.startswith(("width=", "height="))]
    return " ".join(attributes) + ' role="img">' + rest


def _ink_legends(figure: Any) -> None:
    for axis in figure.axes:
        if legend := axis.get_legend():
            for text in legend.get_texts():
                text.set_color(_INK)
