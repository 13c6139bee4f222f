"""Tables of what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sf_eval.core.tables import ABSENT, Table, scaled, seconds
from sf_eval.profiler import format as fmt

_Record = Mapping[str, Any]


def measured_tables(measured: _Record) -> list[Table]:
    """Latency of every run, then ratios, achieved rates, memory and the device."""
    tables = [_latency(run, measured["environment"]) for run in measured["runs"]]
    tables += [_ratios(records) for records in _grouped(measured["ratios"])]
    tables.append(_rates(measured["runs"]))
    if any(run["memory"].get("allocated_bytes") for run in measured["runs"]):
        tables.append(_memory(measured["runs"]))
    return [*tables, _device(measured)]


def _latency(run: _Record, where: _Record) -> Table:
    body = [
        (stage, *(seconds(samples[key]) for key in ("median", "p90", "p99")), str(samples["n"]))
        for stage, samples in run["stages"].items()
    ]
    body += [(stage, *[ABSENT] * 3, "0") for stage in run["not_measured"]]
    reasons = "; ".join(dict.fromkeys(run["not_measured"].values()))
    notes = [
        f"{where['device_name']} ({where['device']}), {where['dtype']}, {where['attention']}, "
        f"{'compiled' if where['compiled'] else 'not compiled'}, weights: {where['weights']}.",
        f"End to end from {run['end_to_end_from']}, without instruments inside.",
    ]
    return Table(
        title=f"Latency of {run['model']}: {run['frames']} frames, batch {run['batch_size']}, "
        f"{run['text_tokens']} text tokens, {run['new_tokens']} new tokens",
        columns=("stage", "median", "p90", "p99", "n"),
        rows=tuple(body),
        numeric=frozenset({"median", "p90", "p99", "n"}),
        notes=(*notes, f"Not measured: {reasons}.") if reasons else tuple(notes),
    )


def _grouped(ratios: Iterable[_Record]) -> list[list[_Record]]:
    """One group for each pair and batch size, in the order measured."""
    groups: dict[tuple[Any, ...], list[_Record]] = {}
    for ratio in ratios:
        key = tuple(ratio[name] for name in ("model", "frames", "against", "against_frames", "batch_size"))
        groups.setdefault(key, []).append(ratio)
    return list(groups.values())


def _ratios(records: list[_Record]) -> Table:
    """Stages of one pair."""
    pair = records[0]
    return Table(
        title=f"Latency of {pair['model']} at {pair['frames']} frames over {pair['against']} at "
        f"{pair['against_frames']}, batch {pair['batch_size']}",
        columns=("stage", "ratio", "95% interval", "p10 to p90"),
        rows=tuple(
            (
                ratio["stage"],
                f"{ratio['median']:.3f}",
                f"{ratio['low']:.3f} to {ratio['high']:.3f}",
                f"{ratio['p10']:.3f} to {ratio['p90']:.3f}",
            )
            for ratio in records
        ),
        numeric=frozenset({"ratio", "95% interval", "p10 to p90"}),
        notes=(
            "Median of the rounds' ratios, measured in turn in one run; a bootstrap interval of that median; "
            "the spread of the rounds.",
        ),
    )


def _rates(runs: Iterable[_Record]) -> Table:
    return Table(
        title="Work done in a second, and share of the device's peak",
        columns=("stage", "model", "frames", "batch", "FLOP/s", "of measured", "of data sheet"),
        rows=tuple(
            (
                stage.partition(" (")[0],
                run["model"],
                str(run["frames"]),
                str(run["batch_size"]),
                scaled(rate["flops_per_s"]),
                fmt.share(rate["share_of_measured_peak"], 1),
                fmt.share(rate["share_of_data_sheet"], 1) if rate["share_of_data_sheet"] else ABSENT,
            )
            for run in runs
            for stage, rate in run["achieved"].items()
        ),
        numeric=frozenset({"frames", "batch", "FLOP/s", "of measured", "of data sheet"}),
    )


def _memory(runs: Iterable[_Record]) -> Table:
    return Table(
        title="GPU memory at its peak",
        columns=("model", "frames", "batch", "allocated", "reserved"),
        rows=tuple(
            (
                run["model"],
                str(run["frames"]),
                str(run["batch_size"]),
                fmt.size(run["memory"]["allocated_bytes"]),
                fmt.size(run["memory"]["reserved_bytes"]),
            )
            for run in runs
        ),
        numeric=frozenset({"frames", "batch", "allocated", "reserved"}),
    )


def _device(measured: _Record) -> Table:
    peak = measured["peak"]
    compiled = measured["compile_s"]
    on_gpu = measured["environment"]["device"] != "cpu"
    return Table(
        title="The device",
        columns=("what", "value"),
        rows=(
            ("load", seconds(measured["load_s"])),
            ("compile and warm up", seconds(compiled) if compiled else "not compiled"),
            ("peak, a large matrix product", scaled(peak["measured_flops"], "FLOP/s")),
            ("peak, a large copy", scaled(peak["measured_bytes"], "B/s")),
            ("peak, data sheet", _sheet(peak)),
            ("process memory, peak", fmt.size(measured["memory"]["process_peak_bytes"])),
            *(() if on_gpu else (("GPU memory", "not measured (no GPU)"),)),
        ),
        notes=tuple(measured["notes"]) or ("No sign of other work on the device.",),
    )


def _sheet(peak: _Record) -> str:
    figures = ((peak["sheet_flops"], "FLOP/s"), (peak["sheet_bytes"], "B/s"))
    known = [scaled(value, unit) for value, unit in figures if value]
    return ", ".join(known) or "not known for this device and dtype"
