"""The 7B shape stage by stage, slow-fast against self-attention only, at growing numbers of frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import TypeVar

import torch

from benchmarks.gpu.book import Book
from benchmarks.gpu.report import Row
from benchmarks.gpu.table import shown
from benchmarks.gpu.workload import Workload, build, forget_peak, give_back_memory, peak_bytes, repeated
from sf_eval.inference.device import is_out_of_memory
from sf_eval.profiler.measured import hardware
from sf_eval.profiler.measured.stopwatch import Samples, paired_ratio, timed
from sf_eval.profiler.rows import Subject

_STEPS = 16  # decoding steps timed at once
_PAIRS = 12
_NVILA = tuple(f"NVILA-Video-8B on an A100 in float16: {figure}" for figure in ("0.719 s", "73 tokens/s"))
_80_GB = 80e9

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Vision:
    """What is common to both models at one number of frames."""

    upload: Samples
    vision: Samples
    slow_tokens: torch.Tensor
    peak: int | None


@dataclass(frozen=True)
class _Language:
    """What one model takes at one number of frames."""

    prefill: Samples
    tpot: Samples
    ttft: float
    prefill_rate: float
    decode_bytes: int
    peak_bytes: int | None


def run(book: Book) -> None:
    device = torch.device(book.setup.device)
    work = build(book.setup.dry, device)
    peak = hardware.measure_peak(device, work.dtype)
    book.put("peak", asdict(peak))
    book.put("parameters", sum(parameter.numel() for parameter in work.model.parameters()))
    with torch.inference_mode():
        _warm_up(work)
        _overhead(book, work)
        for frames in work.frame_counts:
            _at(book, work, frames, peak)


def _warm_up(work: Workload) -> None:
    """Everything once at the least frames: kernels are loaded, handles made; a tower call is 16 frames."""
    frames = work.frame_counts[0]
    for subject in (work.slow_fast, work.baseline):
        with work.set_to(subject):
            features = work.vision(work.upload(frames))
            first, cache = work.prefill(features)
            work.decode_tokens(first, cache, 2)


def _overhead(book: Book, work: Workload) -> None:
    """Prefill of slow-fast at 128 frames against self-attention only at 16, in turn, paired."""
    asks = [(work.baseline, 16), (work.slow_fast, 128)]
    features = [work.random_features(subject, frames) for subject, frames in asks]
    seconds: tuple[list[float], list[float]] = ([], [])
    for round_number in range(min(_PAIRS, work.most_runs) + 2):
        for which in (0, 1) if round_number % 2 == 0 else (1, 0):
            with work.set_to(asks[which][0]):
                prefill = partial(work.prefill, features[which])
                took = timed(prefill, work.device)[0]
            if round_number >= 2:
                seconds[which].append(took)
    ratio = paired_ratio(seconds[1], seconds[0])
    counted = work.counted(*asks[1]).prefill_flops / work.counted(*asks[0]).prefill_flops
    book.put("prefill_overhead", {"ratio": asdict(ratio), "counted": counted, "seconds": seconds})
    note = f"counted: {100 * (counted - 1):.2f}%"
    if ratio.low is not None and ratio.high is not None:
        note += f"; 95% interval {100 * (ratio.low - 1):.2f} to {100 * (ratio.high - 1):.2f}%"
    book.row(
        Row("shape.overhead", "prefill, slow-fast at 128 frames over self-attention only at 16",
            100 * (ratio.median - 1), "%", ratio.n, at_most=5.0, note=note)
    )  # fmt: skip


def _at(book: Book, work: Workload, frames: int, peak: hardware.Peak) -> None:
    seen = _try(book, f"shape.vision.{frames}", partial(_vision, book, work, frames, peak))
    for name, subject in (("slow_fast", work.slow_fast), ("self_attention", work.baseline)):
        key = f"shape.{name}.{frames}"
        if seen is not None and _fits_in_time(book, work, subject, frames, peak):
            _try(book, key, partial(_language, book, work, name, subject, frames, seen, peak))
        else:
            why = (
                "the step's time would not have lasted" if seen is not None else "its vision was not measured"
            )
            book.row(Row(f"{key}.ttft", f"{_title(name)}, {frames} frames: TTFT", None, "s", note=why))


def _try(book: Book, key: str, measure: Callable[[], _Result]) -> _Result | None:
    """What `measure` gives; None where memory runs out, which is a result too."""
    try:
        return measure()
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        message = str(error).splitlines()[0][:200]
    book.row(Row(f"{key}.memory", f"{key} does not fit in memory", None, "bytes", note=message))
    give_back_memory(torch.device(book.setup.device))
    return None


def _fits_in_time(book: Book, work: Workload, subject: Subject, frames: int, peak: hardware.Peak) -> bool:
    """Whether prefill and some decoding end in time, at a third of the measured peak."""
    return work.counted(subject, frames).prefill_flops / (peak.measured_flops / 3) < book.seconds_left - 5


def _vision(book: Book, work: Workload, frames: int, peak: hardware.Peak) -> _Vision | None:
    flops = _vision_flops(work, frames)
    if 2 * flops / (peak.measured_flops / 3) > book.seconds_left - 10:
        return None
    give_back_memory(work.device)
    forget_peak(work.device)
    upload, pixels = repeated(work, partial(work.upload, frames), at_most=5, budget_s=1.0)
    with work.set_to(work.slow_fast):
        vision, features = repeated(work, partial(work.vision, pixels), at_most=7, budget_s=4.0)
    rate = flops / vision.median
    book.put(
        f"vision.{frames}",
        {"upload": upload.to_json(), "vision": vision.to_json(), "flops": flops,
         **_shares(rate, peak), "peak_bytes": peak_bytes(work.device)},
    )  # fmt: skip
    book.row(
        Row(f"shape.vision.{frames}", f"vision, {frames} frames", vision.median, "s", len(vision.values),
            note=f"{shown(rate, 'FLOP/s')}, {_mfu(rate, peak)}")
    )  # fmt: skip
    return _Vision(upload, vision, features.slow_tokens, peak_bytes(work.device))


def _language(
    book: Book, work: Workload, name: str, subject: Subject, frames: int, seen: _Vision, peak: hardware.Peak
) -> bool:
    device, row = work.device, work.counted(subject, frames)
    give_back_memory(device)
    forget_peak(device)
    with work.set_to(subject):
        features = work.model.model.split_paths(_as_grid(seen.slow_tokens, frames))
        prefill, (first, cache) = repeated(work, partial(work.prefill, features), at_most=7, budget_s=3.0)
        tokens, _ = repeated(work, partial(work.decode_tokens, first, cache, _STEPS), at_most=3, budget_s=4.0)
    allocated = peak_bytes(device)
    done = _Language(
        prefill=prefill,
        tpot=Samples(tuple(value / _STEPS for value in tokens.values)),
        ttft=seen.upload.median + seen.vision.median + prefill.median,
        prefill_rate=row.prefill_flops / prefill.median,
        decode_bytes=work.decode_bytes(subject, frames),
        peak_bytes=None if allocated is None else max(allocated, seen.peak or 0),
    )
    mbu = done.decode_bytes / done.tpot.median / peak.measured_bytes
    book.put(
        f"{name}.{frames}",
        {
            "fast_tokens": row.fast_tokens, "slow_tokens": row.slow_tokens, "text_tokens": row.text_tokens,
            "upload_s": seen.upload.median, "vision_s": seen.vision.median, "ttft_s": done.ttft,
            "prefill": prefill.to_json(), "tpot": done.tpot.to_json(),
            "prefill_flops": row.prefill_flops, "vision_flops": _vision_flops(work, frames),
            "prefill_share": _shares(done.prefill_rate, peak), "decode_bytes": done.decode_bytes, "mbu": mbu,
            "peak_bytes": done.peak_bytes, "prefill_peak_bytes": allocated,
        },
    )  # fmt: skip
    key, title = f"shape.{name}.{frames}", f"{_title(name)}, {frames} frames"
    outside = _NVILA if (name, frames) == ("slow_fast", 64) else ("", "")
    parts = " + ".join(
        f"{stage} {shown(samples.median, 's')}"
        for stage, samples in (("upload", seen.upload), ("vision", seen.vision), ("prefill", prefill))
    )
    note = f"{parts} ({_mfu(done.prefill_rate, peak)}) of {row.fast_tokens + row.text_tokens} tokens"
    what = f"{title}: TTFT from resized frames in memory"
    book.row(Row(f"{key}.ttft", what, done.ttft, "s", len(prefill.values), note=_list(note, outside[0])))
    note = f"{1 / done.tpot.median:.0f} tokens/s; MBU {100 * mbu:.0f}% of the measured bandwidth"
    what = f"{title}: TPOT, plain"
    book.row(
        Row(f"{key}.tpot", what, done.tpot.median, "s", len(tokens.values), note=_list(note, outside[1]))
    )
    if done.peak_bytes is not None:
        longest = frames == max(work.frame_counts) and name == "slow_fast"
        goal, what = _80_GB if longest else None, f"{title}: peak memory allocated"
        book.row(Row(f"{key}.memory", what, float(done.peak_bytes), "bytes", at_most=goal))
    return True


def _as_grid(slow_tokens: torch.Tensor, frames: int) -> torch.Tensor:
    """Slow tokens [T * h * w, D] -> [T, h, w, D]: what the tower gave, before the paths part."""
    side = round((slow_tokens.shape[0] // frames) ** 0.5)
    return slow_tokens.view(frames, side, side, -1)


def _vision_flops(work: Workload, frames: int) -> int:
    row = work.counted(work.slow_fast, frames)
    return row.vision_flops + row.projector_flops + row.pooling_flops


def _shares(rate: float, peak: hardware.Peak) -> dict[str, float | None]:
    return {
        "flops_per_s": rate,
        "share_of_measured_peak": rate / peak.measured_flops,
        "share_of_data_sheet": rate / peak.sheet_flops if peak.sheet_flops else None,
    }


def _mfu(rate: float, peak: hardware.Peak) -> str:
    sheet = f", {100 * rate / peak.sheet_flops:.0f}% of the data sheet's" if peak.sheet_flops else ""
    return f"MFU {100 * rate / peak.measured_flops:.0f}% of the measured peak{sheet}"


def _title(name: str) -> str:
    return name.replace("_", "-") + (" only" if name == "self_attention" else "")


def _list(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
