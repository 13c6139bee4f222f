"""When pictures are shown: seconds on the container's clock, and the rate that follows from them.

Subtitles and the spans that questions ask about count from where the file starts playing. That is the start
of its first stream, be it sound: a picture that comes two seconds later is shown at 2 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_MICROSECONDS = 1_000_000  # FFmpeg's AV_TIME_BASE, the unit of a container's start
_ROUNDING_S = 1.5 / _MICROSECONDS
_A_LITTLE = 0.1  # a share of what is stated; who drops or repeats a picture now and then stays below


@dataclass(frozen=True)
class PictureTimes:
    """When the pictures of a file are shown.

    Attributes:
        times_s: seconds since the container's start, in the order of presentation; empty where the packets
            carry no times.
        runs_on: False where the clock starts anew midway: files were put one behind the other.
    """

    times_s: tuple[float, ...]
    runs_on: bool


def clock_start_s(container: Any, first_picture_s: float) -> float:
    """Where the clock of an open container stands at its start, in seconds of its streams' own times.

    Sound that a decoder needs to warm up has times before 0: nobody hears it, so the clock starts at 0 then.
    No picture is shown before the clock starts.
    """
    start_s = max(container.start_time or 0, 0) / _MICROSECONDS
    started_with_it = abs(start_s - first_picture_s) <= _ROUNDING_S
    return first_picture_s if started_with_it else min(start_s, first_picture_s)


def picture_times(container: Any, stream: Any) -> PictureTimes:
    """Read the times of all packets of an open container; nothing is decoded."""
    ticks: list[int] = []
    last_dts, runs_on = None, True
    for packet in container.demux(stream):
        if packet.dts is not None:
            runs_on = runs_on and (last_dts is None or packet.dts >= last_dts)
            last_dts = packet.dts
        # A trimmed mp4 keeps coded pictures that its edit list leaves out: they are decoded, but not shown.
        if packet.pts is not None and not packet.is_discard:
            ticks.append(packet.pts)
    base = float(stream.time_base or 0)
    if not ticks or not base:
        return PictureTimes((), runs_on)
    ticks.sort()
    start_s = clock_start_s(container, ticks[0] * base)
    return PictureTimes(tuple(tick * base - start_s for tick in ticks), runs_on)


def measured_rate(times: PictureTimes, frames: int) -> float | None:
    """The average rate of `frames` pictures in frames per second; None where their times do not tell."""
    shown = min(frames, len(times.times_s))
    if shown < 2 or not times.runs_on:
        return None
    span_s = times.times_s[-1] - times.times_s[0]
    return (shown - 1) / span_s if span_s > 0 else None


def agree(measured: float, stated: float) -> bool:
    """Whether a measured rate or duration differs from a stated one by no more than a little: a tenth."""
    return abs(measured - stated) <= _A_LITTLE * stated
