"""Plots as SVG and PNG, without a display.

Text and axes are drawn in one ink colour. In an SVG that goes into a page the ink becomes `currentColor`, so
that the plot follows the light or dark theme of the page. Nothing is told by colour alone: lines differ in
marker and dash too, bars in hatching.
"""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from sf_eval.profiler import format as fmt
from sf_eval.profiler.cost.closed_form import Unit
from sf_eval.profiler.record import Growth, Profile, ProfileRow
from sf_eval.report.profile.tables import part_flops

_INK = "#555a61"
# Colour, marker and dashes of the model and of its baseline.
_STYLES = (("#2f7fd1", "o", "-"), ("#d9762b", "s", "--"))
_HATCHES = ("", "///", "\\\\\\", "|||", "---", "...", "xxx", "++")

# Groups of the bar charts: name, colour, keys of `ProfileRow.breakdown`.
GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("vision tower", "#64778f", ("vision",)),
    ("projector, pooling", "#b7a1d6", ("projector", "pooling")),
    ("LLM: projections, MLP, logits", "#2f7fd1",
     ("prefill_attention_projections", "prefill_mlp", "prefill_logits")),
    ("LLM: self-attention", "#3aa99f", ("prefill_self_attention",)),
    ("LLM: cross-attention to slow tokens", "#d9762b",
     ("prefill_cross_kv_projection", "prefill_cross_attention", "prefill_cross_gate")),
    ("decoding", "#c9567a", ("decode",)),
)  # fmt: skip

SLOW_PATH: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("K/V projection of slow tokens", "#d9762b", ("prefill_cross_kv_projection",)),
    ("attention to slow tokens", "#2f7fd1", ("prefill_cross_attention",)),
    ("gate", "#64778f", ("prefill_cross_gate",)),
)
"""What the slow path adds to the prefill: too little to be seen in a bar of everything."""

# Measured stages in the order of the work: key of a run's `stages`, name, colour.
STAGES = (
    ("video decode", "video decode", "#8f7a5c"),
    ("resize", "resize", "#b08a2e"),
    ("from the decoder's process", "from the decoder's process", "#5f8f7a"),
    ("upload", "upload", "#b7a1d6"),
    ("vision", "vision", "#64778f"),
    ("prefill (TTFT from cached features)", "LLM prefill", "#2f7fd1"),
    ("prefill of the shared prefix", "prefill of the shared prefix", "#2f7fd1"),
    (
        "prefill of the questions (TTFT from a shared prefix)",
        "prefill of the questions",
        "#1f4f8f",
    ),
    ("new token (TPOT)", "decoding", "#c9567a"),
)


def available() -> bool:
    """Whether matplotlib is installed: a machine that only measures needs no plots."""
    return importlib.util.find_spec("matplotlib") is not None


def growth_figure(profile: Profile) -> Any:
    """Prefill, end-to-end work and memory over frames, both axes logarithmic."""
    figure, axes = _figure(len(_GROWTH), width=12.5)
    for axis, (title, quantities) in zip(axes, _GROWTH.items(), strict=True):
        _growth_panel(axis, profile, title, quantities)
    return figure


def growth_panels(profile: Profile) -> list[Any]:
    """The same as figures of their own, which stand below each other on a small screen."""
    figures = []
    for title, quantities in _GROWTH.items():
        figure, (axis,) = _figure(1, width=4.2)
        _growth_panel(axis, profile, title, quantities)
        figures.append(figure)
    return figures


_GROWTH = {
    "LLM prefill": ("prefill",),
    "End to end": ("end to end",),
    "Memory that grows with the video": ("KV cache", "slow-token memory"),
}


def _growth_panel(axis: Any, profile: Profile, title: str, quantities: tuple[str, ...]) -> None:
    if "KV cache" in quantities:
        scale, name = 1 / 2**20, "MiB"
    else:
        power, name = fmt.scale_for(profile.main.total_flops, Unit(profile.unit))
        scale = Unit(profile.unit).per_mac / 2 / power
    _lines(axis, profile.growth, quantities, scale)
    axis.set_title(title)
    axis.set_ylabel(name)


def _lines(axis: Any, growth: Growth, quantities: tuple[str, ...], scale: float) -> None:
    models = list(dict.fromkeys(series.model for series in growth.series))
    for series in growth.series:
        if series.quantity in quantities:
            colour, marker, dashes = _STYLES[min(models.index(series.model), len(_STYLES) - 1)]
            if series.quantity == "slow-token memory":
                marker, dashes = "^", ":"
            label = series.model if len(quantities) == 1 else f"{series.model}: {series.quantity}"
            values = [value * scale for value in series.values]
            fitting = sum(count <= series.frames_in_context for count in growth.frames)
            style = {"color": colour, "marker": marker, "markersize": 4}
            axis.plot(growth.frames, values, linestyle=dashes, label=label, markevery=range(fitting), **style)
            axis.plot(growth.frames[fitting:], values[fitting:], linestyle="", fillstyle="none", **style)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    ticks = [count for count in growth.frames if count & (count - 1) == 0] + [growth.frames[-1]]
    axis.set_xticks(ticks, [str(count) for count in ticks], rotation=45)
    axis.minorticks_off()
    beyond = any(series.frames_in_context < growth.frames[-1] for series in growth.series)
    axis.set_xlabel("frames (hollow: beyond the model's context)" if beyond else "frames")
    axis.legend(frameon=False, fontsize=8)


def breakdown_figure(profile: Profile) -> Any:
    """Stacked bars of the model and what it is compared with: all, the prefill alone, the slow path alone."""
    rows = [profile.main, *profile.against]
    power, name = fmt.scale_for(profile.main.total_flops, Unit(profile.unit))
    scale = Unit(profile.unit).per_mac / 2 / power
    llm = [group for group in GROUPS if group[0].startswith("LLM")]
    panels: list[tuple[str, Any, list[ProfileRow]]] = [
        ("End to end", GROUPS, rows),
        ("LLM prefill (the paper's claim)", llm, rows),
    ]
    if with_slow := [row for row in rows if row.slow_tokens]:
        panels.append(("The slow path alone", SLOW_PATH, with_slow))
    figure, axes = _figure(len(panels), width=6.2 * len(panels), height=1.9 + 0.6 * len(rows))
    for axis, (title, groups, shown) in zip(axes, panels, strict=True):
        _bars(axis, shown, groups, scale)
        axis.set_title(title)
        axis.set_xlabel(name)
        axis.legend(frameon=False, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=2)
    return figure


def _bars(axis: Any, rows: list[ProfileRow], groups: Any, scale: float) -> None:
    labels = [f"{row.model}\n{row.frames} frames" for row in rows]
    left = [0.0] * len(rows)
    for (name, colour, keys), hatch in zip(groups, _HATCHES, strict=False):
        widths = [part_flops(row, keys) * scale for row in rows]
        axis.barh(
            range(len(rows)), widths, left=left, color=colour, label=name, height=0.62,
            hatch=hatch, edgecolor="#ffffff88", linewidth=0,
        )  # fmt: skip
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axis.set_yticks(range(len(rows)), labels)
    axis.invert_yaxis()


def _figure(columns: int, *, width: float, height: float = 3.6) -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False)[0]
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
