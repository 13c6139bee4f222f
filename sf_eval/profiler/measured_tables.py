"""Tables of what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.profiler import format as fmt
from sf_eval.profiler.tables import Table


def measured_tables(measured: Mapping[str, Any]) -> list[Table]:
    """Latency of every run, then ratios, memory and achieved rates."""
    return [
        *(_latency(run, measured) for run in measured["runs"]),
        _ratios(measured),
        _resources(measured),
    ]


def _latency(run: Mapping[str, Any], measured: Mapping[str, Any]) -> Table:
    body = []
    for stage, samples in run["stages"].items():
        cells = (fmt.seconds(samples[key]) for key in ("median", "p90", "p99"))
        body.append((stage, str(samples["n"]), *cells))
    body += [(stage, "0", "not measured", "-", "-") for stage in run["not_measured"]]
    where = measured["environment"]
    reasons = "; ".join(dict.fromkeys(run["not_measured"].values()))
    return Table(
        title=f"Latency of {run['model']}: {run['frames']} frames, batch {run['batch_size']}, "
        f"{run['text_tokens']} text tokens, {run['new_tokens']} new tokens",
        columns=("stage", "n", "median", "p90", "p99"),
        rows=tuple(body),
        note=f"{where['device_name']} ({where['device']}), {where['dtype']}, {where['attention']}, "
        f"{'compiled' if where['compiled'] else 'not compiled'}, weights: {where['weights']}. "
        f"End to end from {run['end_to_end_from']}, without instruments inside."
        + (f" Not measured: {reasons}." if reasons else ""),
    )


def _ratios(measured: Mapping[str, Any]) -> Table:
    body = tuple(
        (
            f"{ratio['model']} ({ratio['frames']}) / {ratio['against']} ({ratio['against_frames']})",
            ratio["stage"],
            str(ratio["batch_size"]),
            f"{ratio['median']:.3f}",
            f"{ratio['low']:.3f} to {ratio['high']:.3f}",
            f"{ratio['p10']:.3f} to {ratio['p90']:.3f}",
        )
        for ratio in measured["ratios"]
    )
    return Table(
        title="Latency ratios, paired by round",
        columns=("ratio (frames)", "stage", "batch", "median", "95% interval", "p10 to p90"),
        rows=body,
        text_columns=2,
        note="Measured in turn in one run; the interval is a bootstrap of the median of the rounds' ratios.",
    )


def _resources(measured: Mapping[str, Any]) -> Table:
    peak = measured["peak"]
    body: list[tuple[str, ...]] = [
        ("load", fmt.seconds(measured["load_s"])),
        (
            "compile and warm up",
            fmt.seconds(measured["compile_s"]) if measured["compile_s"] else "not compiled",
        ),
        ("peak, measured: matrix product", f"{peak['measured_flops'] / 1e12:.3g} TFLOP/s"),
        ("peak, measured: copy", f"{peak['measured_bytes'] / 1e9:.4g} GB/s"),
        ("peak, data sheet", _sheet(peak)),
        ("process memory, peak", fmt.size(measured["memory"]["process_peak_bytes"])),
    ]
    for run in measured["runs"]:
        name = f"{run['model']}, {run['frames']} frames, batch {run['batch_size']}"
        for kind in ("allocated", "reserved"):
            value = run["memory"].get(f"{kind}_bytes")
            body.append((f"{name}: GPU memory {kind}", fmt.size(value) if value else "not measured (no GPU)"))
        for stage, rate in run["achieved"].items():
            body.append((f"{name}: {stage}", _rate(rate)))
    notes = " ".join(measured["notes"]) or "No sign of other work on the device."
    return Table("Memory, and how much of the device is reached", ("what", "value"), tuple(body), note=notes)


def _sheet(peak: Mapping[str, Any]) -> str:
    parts = []
    if peak["sheet_flops"]:
        parts.append(f"{peak['sheet_flops'] / 1e12:.4g} TFLOP/s")
    if peak["sheet_bytes"]:
        parts.append(f"{peak['sheet_bytes'] / 1e9:.4g} GB/s")
    return ", ".join(parts) or "not known for this device and dtype"


def _rate(rate: Mapping[str, Any]) -> str:
    text = (
        f"{rate['flops_per_s'] / 1e12:.3g} TFLOP/s, {100 * rate['share_of_measured_peak']:.1f}% of measured"
    )
    if rate["share_of_data_sheet"]:
        text += f", {100 * rate['share_of_data_sheet']:.1f}% of data sheet"
    return text
