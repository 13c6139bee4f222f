"""Tables of what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sf_eval.core.tables import ABSENT, Table, scaled, seconds
from sf_eval.profiler import format as fmt
from sf_eval.profiler.measured.stopwatch import supported_quantile

_Record = Mapping[str, Any]


def measured_tables(measured: _Record) -> list[Table]:
    """Latency of every run, then changes, achieved rates, memory and the device."""
    tables = [_latency(measured["runs"], measured["environment"])]
    if measured["ratios"]:
        tables.append(_changes(measured["ratios"]))
    tables.append(_rates(measured["runs"]))
    if any(run["memory"].get("allocated_bytes") for run in measured["runs"]):
        tables.append(_memory(measured["runs"]))
    return [*tables, _device(measured)]


_QUANTILES = {"p90": 0.9, "p99": 0.99}


def _latency(runs: Sequence[_Record], where: _Record) -> Table:
    """One row per stage and run; a quantile's column only where a run has rounds enough for it."""
    columns = [name for name, share in _QUANTILES.items() if any(_has(run, share) for run in runs)]
    body = [
        _latency_row(stage, run, columns)
        for stage in dict.fromkeys(stage for run in runs for stage in (*run["stages"], *run["not_measured"]))
        for run in runs
        if stage in run["stages"] or stage in run["not_measured"]
    ]
    first = runs[0]
    models = fmt.listed(list(dict.fromkeys(run["model"] for run in runs)))
    return Table(
        title=f"Latency of {models}: {first['text_tokens']} text tokens, {first['new_tokens']} new tokens",
        columns=(
            "stage",
            "model",
            "frames",
            "batch",
            "median",
            "least",
            "most",
            *columns,
            "rounds",
        ),
        rows=tuple(body),
        numeric=frozenset({"frames", "batch", "median", "least", "most", *columns, "rounds"}),
        notes=tuple(_latency_notes(runs, where)),
    )


def _has(run: _Record, share: float) -> bool:
    return any(supported_quantile(samples["values"], share) is not None for samples in run["stages"].values())


def _latency_row(stage: str, run: _Record, quantiles: Sequence[str]) -> tuple[str, ...]:
    who = (stage, run["model"], _frames(run), _batch(run))
    if stage not in run["stages"]:
        return (*who, *[ABSENT] * (3 + len(quantiles)), "0")
    values = run["stages"][stage]["values"]
    shown = [run["stages"][stage]["median"], min(values), max(values)]
    shown += [supported_quantile(values, _QUANTILES[name]) for name in quantiles]
    return (*who, *map(seconds, shown), str(len(values)))


def _latency_notes(runs: Sequence[_Record], where: _Record) -> list[str]:
    starts = " or ".join(dict.fromkeys(run["end_to_end_from"] for run in runs))
    reasons = "; ".join(dict.fromkeys(why for run in runs for why in run["not_measured"].values()))
    notes = [
        f"{where['device_name']} ({where['device']}), {where['dtype']}, {where['attention']}, "
        f"{_compiled(where)}, weights: {where['weights']}.",
        "Each stage was measured apart, waiting for the device before and after. End to end is measured "
        f"anew, from {starts}, in one go without such waits: it is not the sum of the stages.",
        "All seconds are the whole batch's. Shared: its questions are about one video, which is decoded, "
        "encoded and prefilled once; else each has a video of its own.",
    ]
    if any(run["exceeds_context"] for run in runs):
        notes.append(
            f"{fmt.MARK} The prompt is longer than the model's context: random weights take it, a trained "
            "model refuses it."
        )
    return [*notes, f"Not measured: {reasons}."] if reasons else notes


def _frames(run: _Record) -> str:
    return fmt.marked(run["frames"], run["exceeds_context"])


def _batch(record: _Record) -> str:
    return f"{record['batch_size']}{' shared' if record['shared'] else ''}"


def _compiled(where: _Record) -> str:
    if not where["compiled"]:
        return "not compiled"
    layers = where.get("compiled_layers")
    return f"vision tower and all {layers} decoder layers compiled" if layers else "compiled"


def _changes(records: Sequence[_Record]) -> Table:
    """Stages of every pair, one row each."""
    return Table(
        title="Change of latency, compared with what was measured beside the model",
        columns=(
            "stage", "model", "frames", "against", "its frames", "batch", "change", "95% interval",
            "rounds",
        ),
        rows=tuple(
            (
                record["stage"],
                record["model"],
                str(record["frames"]),
                record["against"],
                str(record["against_frames"]),
                _batch(record),
                fmt.change(record["median"]),
                _span(record, "low", "high") if record["n"] >= _FOR_INTERVAL else ABSENT,
                _rounds(record),
            )
            for record in records
        ),
        numeric=frozenset({"frames", "its frames", "batch", "change", "95% interval", "rounds"}),
        notes=(
            "Change: the median of the rounds' ratios, measured in turn in one run. Interval: bootstrap of "
            f"that median, for {_FOR_INTERVAL} rounds or more. Rounds: the middle 80% of their changes, or "
            "all of them where there are fewer than 10.",
        ),
    )  # fmt: skip


_FOR_INTERVAL = 6


def _rounds(record: _Record) -> str:
    return _span(record, "p10", "p90") if record["n"] >= 10 else _span(record, "least", "most")


def _span(record: _Record, low: str, high: str) -> str:
    start, end = record.get(low), record.get(high)
    if start is None or end is None:
        return ABSENT
    return f"{fmt.change(start)} to {fmt.change(end)}"


def _rates(runs: Sequence[_Record]) -> Table:
    return Table(
        title="Work per second, and share of the device's peak",
        columns=(
            "stage", "model", "frames", "batch", "FLOP/s", "MFU", "of data sheet", "MBU",
        ),
        rows=tuple(
            (
                stage.partition(" (")[0],
                run["model"],
                _frames(run),
                _batch(run),
                scaled(rate["flops_per_s"]),
                fmt.share(rate["share_of_measured_peak"], 1),
                fmt.share(rate["share_of_data_sheet"], 1) if rate["share_of_data_sheet"] else ABSENT,
                fmt.share(rate["share_of_measured_bandwidth"], 1),
            )
            for run in runs
            for stage, rate in run["achieved"].items()
        ),
        numeric=frozenset({"frames", "batch", "FLOP/s", "MFU", "of data sheet", "MBU"}),
        notes=(
            "MFU and MBU: shares of the FLOP/s and bytes a second that one large product and one large copy "
            "reached on this device. Bytes: weights and caches, each once (the tower's weights once in 16 "
            "frames); activations come on top, so the MBU is a lower bound.",
        ),
    )  # fmt: skip


def _memory(runs: Sequence[_Record]) -> Table:
    return Table(
        title="GPU memory at its peak",
        columns=("model", "frames", "batch", "allocated", "reserved"),
        rows=tuple(
            (
                run["model"],
                _frames(run),
                _batch(run),
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
