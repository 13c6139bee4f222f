"""Reading 64 frames of a long video: in order, by seeking, by seeking and skipping, decord, torchcodec.

    python benchmarks/decoding.py            # 5 and 30 min at 360p and 720p, three rounds
    python benchmarks/decoding.py --resume --budget 60    # what is not measured yet; a minute a clip or so
    python benchmarks/decoding.py --quick    # one short clip, one round: a check that it runs

The clips are made on the spot (H.264, groups of 250 pictures), one at a time: each is deleted when it is
measured (`--keep` keeps it), and its rows are written at once, where `--resume` finds them. All ways take
turns in one process with one FFmpeg thread each, and each ratio is of one round: a busy machine slows both
sides of it. `cpu_s` is the process's time on a core. Whatever is remembered of a file is forgotten between.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sf_eval.video import DecodeOptions, available_backends, read_frames, uniform_indices
from sf_eval.video.packet_index import forget
from sf_eval.video.pictures import PictureStack
from sf_eval.video.seeking import decode_by_seeking

FPS, GROUP = 30, 250
LEFT_FREE = 1_000_000_000  # bytes of the disk
OUT = Path("results/benchmarks/decoding.json")
Way = Callable[[Path, Sequence[int]], NDArray[np.uint8]]


@dataclass(frozen=True)
class ClipSpec:
    """A clip to be made: its name, its length in seconds, its height in pixels (16:9)."""

    name: str
    seconds: int
    height: int

    @property
    def width(self) -> int:
        return self.height * 16 // 9


CLIPS = [
    ClipSpec(f"{minutes} min, {height}p", minutes * 60, height)
    for minutes in (5, 30)
    for height in (360, 720)
]
QUICK = [ClipSpec("25 s, 180p", 25, 180)]


@dataclass(frozen=True)
class Timing:
    """One way to read the frames, over all rounds.

    Attributes:
        rounds: how many there were.
        wall_s, cpu_s: medians, in seconds.
        times_faster: the way in order's wall time divided by this one's, round by round: median, least, most.
        equal: whether all frames are those of decoding in order, to the last bit.
    """

    way: str
    rounds: int
    wall_s: float
    cpu_s: float
    times_faster: tuple[float, float, float]
    cpu_times_faster: tuple[float, float, float]
    equal: bool


def in_order(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    return read_frames(path, indices, options=DecodeOptions(seek=False, threads=1))


def seek(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    stack = PictureStack(path, len(indices), None)
    decode_by_seeking(path, indices, stack, threads=1, skip=False)
    return stack.first(len(indices))


def seek_and_skip(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    stack = PictureStack(path, len(indices), None)
    decode_by_seeking(path, indices, stack, threads=1)
    return stack.first(len(indices))


def decord(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """As its documentation has it: by index, which seeks."""
    import decord as library

    pixels: NDArray[np.uint8] = (
        library.VideoReader(str(path), num_threads=1).get_batch(list(indices)).asnumpy()
    )
    return pixels


def torchcodec(path: Path, indices: Sequence[int]) -> NDArray[np.uint8]:
    """As its documentation has it: by index, after a scan of the file."""
    from torchcodec.decoders import VideoDecoder

    decoder = VideoDecoder(str(path), dimension_order="NHWC", num_ffmpeg_threads=1)
    pixels: NDArray[np.uint8] = decoder.get_frames_at(list(indices)).data.numpy()
    return pixels


def ways() -> dict[str, Way]:
    found: dict[str, Way] = {"in order": in_order, "seek": seek, "seek + skip": seek_and_skip}
    others: dict[str, Way] = {"decord": decord, "torchcodec": torchcodec}
    return found | {name: way for name, way in others.items() if name in available_backends()}


def make_clip(spec: ClipSpec, folder: Path) -> Path:
    """Encode 25 s of moving patterns once, and put them behind each other until the clip is long enough."""
    path = folder / f"{spec.seconds}s-{spec.height}p.mp4"
    if path.is_file():
        return path
    copies = spec.seconds * FPS // (3 * GROUP)
    folder.mkdir(parents=True, exist_ok=True)
    part, unfinished = folder / f"part-{spec.height}p.mp4", path.with_suffix(".unfinished.mp4")
    if not part.is_file():
        _encode(part.with_suffix(".unfinished.mp4"), spec)
        part.with_suffix(".unfinished.mp4").rename(part)
    needed, free = int(1.1 * copies * part.stat().st_size), shutil.disk_usage(folder).free
    if needed > free - LEFT_FREE:
        raise SystemExit(
            f"{spec.name} takes {needed / 1e9:.2f} GB, and {folder} has {free / 1e9:.2f} GB free of which "
            f"{LEFT_FREE / 1e9:.0f} GB are left alone: name another folder (--cache)."
        )
    with av.open(str(part)) as old, av.open(str(unfinished), "w") as new:
        source = old.streams.video[0]
        stream = new.add_stream_from_template(source)
        packets = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in old.demux(source)
        ]
        tick = int(1 / (FPS * source.time_base))
        for number in range(copies):
            for data, pts, dts, is_key in packets:
                if pts is None or dts is None:
                    continue
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, source.time_base, is_key
                packet.pts, packet.dts = (time + number * 3 * GROUP * tick for time in (pts, dts))
                new.mux(packet)
    unfinished.rename(path)
    return path


def _encode(path: Path, spec: ClipSpec) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = spec.width, spec.height, "yuv420p"
        stream.options = {"preset": "veryfast", "g": str(GROUP), "sc_threshold": "0"}
        for index, picture in enumerate(_pictures(3 * GROUP, spec)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _pictures(count: int, spec: ClipSpec) -> Iterator[NDArray[np.uint8]]:
    """A background that pans slowly, and three squares that move before it."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (spec.height // 24, spec.width // 12, 3), dtype=np.uint8)
    wide = np.asarray(Image.fromarray(coarse).resize((2 * spec.width, spec.height), Image.Resampling.BICUBIC))
    side = spec.height // 6
    for index in range(count):
        left = index % spec.width
        picture = wide[:, left : left + spec.width].copy()
        for square in range(3):
            x = (index * (3 + square) + square * 90) % (spec.width - side)
            y = int((spec.height - side) * (0.5 + 0.5 * np.sin(index / (20 + 9 * square) + square)))
            picture[y : y + side, x : x + side] = (250, 80 * square, 40)
        yield picture


def measure(path: Path, num_frames: int, rounds: int, budget_s: float | None = None) -> list[Timing]:
    """So many rounds, or as many as begin within `budget_s`, the first in any case."""
    with av.open(str(path)) as container:
        total = container.streams.video[0].frames
    indices = uniform_indices(total, num_frames)
    named = ways()
    wall: dict[str, list[float]] = {name: [] for name in named}
    cpu: dict[str, list[float]] = {name: [] for name in named}
    equal = dict.fromkeys(named, True)
    began = time.perf_counter()
    for number in range(rounds):
        if number and budget_s is not None and time.perf_counter() - began > budget_s:
            break
        reference: NDArray[np.uint8] | None = None
        for name, way in named.items():
            forget()
            started, on_core = time.perf_counter(), time.process_time()
            pixels = way(path, indices)
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - on_core)
            reference = pixels if reference is None else reference
            equal[name] &= np.array_equal(pixels, reference)
    return [
        Timing(
            name,
            len(wall[name]),
            round(statistics.median(wall[name]), 3),
            round(statistics.median(cpu[name]), 3),
            _ratio(wall["in order"], wall[name]),
            _ratio(cpu["in order"], cpu[name]),
            equal[name],
        )
        for name in named
    ]


def _ratio(slow: Sequence[float], fast: Sequence[float]) -> tuple[float, float, float]:
    ratios = [above / below for above, below in zip(slow, fast, strict=True)]
    return round(statistics.median(ratios), 2), round(min(ratios), 2), round(max(ratios), 2)


def machine() -> dict[str, Any]:
    """What the figures depend on beside the code."""
    names = ("av", "decord", "torchcodec", "numpy")
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_average_1_min": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "ffmpeg": ".".join(map(str, av.library_versions["libavcodec"])),
        "packages": {name: _version(name) for name in names},
    }


def _processor() -> str:
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(errors="replace").splitlines() if listing.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def measured_before(path: Path, frames: int) -> list[dict[str, Any]]:
    """Rows of an earlier run with as many frames, on this machine with these versions; none otherwise."""
    if not path.is_file():
        return []
    before = json.loads(path.read_text())
    rows: list[dict[str, Any]] = before["rows"]
    if before["frames"] == frames and _but_for_load(before["machine"]) == _but_for_load(machine()):
        return rows
    print(f"{path} is of another machine, version or number of frames: measured anew.", flush=True)
    return []


def _but_for_load(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if not name.startswith("load")}


def main() -> int:
    asked = _arguments()
    rows = measured_before(asked.out, asked.frames) if asked.resume else []
    for spec in QUICK if asked.quick else CLIPS:
        if asked.only not in spec.name or any(row["clip"] == spec.name for row in rows):
            continue
        path = make_clip(spec, asked.cache)
        print(f"{spec.name:14} {path.stat().st_size / 1e6:.0f} MB", flush=True)
        for timing in measure(path, asked.frames, 1 if asked.quick else asked.rounds, asked.budget):
            rows.append({"clip": spec.name, **asdict(timing)})
            times, low, high = timing.times_faster
            same = "equal" if timing.equal else "other frames"
            print(
                f"{spec.name:14} {timing.way:12} {timing.wall_s:8.2f} s {timing.cpu_s:8.2f} s on a core "
                f"x{times:<5.2f} ({low} to {high}) {same}",
                flush=True,
            )
        if not asked.keep:
            path.unlink()
        _write(asked.out, rows, asked.frames)
    if not rows:
        raise SystemExit(f"no clip's name contains {asked.only!r}: {', '.join(spec.name for spec in CLIPS)}.")
    print(f"Written: {asked.out}")
    return 0


def _write(path: Path, rows: list[dict[str, Any]], frames: int) -> None:
    record = {
        "command": shlex.join(["python", "benchmarks/decoding.py", *sys.argv[1:]]),
        "frames": frames,
        "codec": f"h264 veryfast, groups of {GROUP}, {FPS} frames per second",
        "ffmpeg_threads": 1,
        "machine": machine(),
        "rows": rows,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished.json")
    unfinished.write_text(json.dumps(record, indent=2) + "\n")
    unfinished.rename(path)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="one short clip, one round")
    parser.add_argument("--only", default="", help="clips whose name contains this, such as '30 min, 360p'")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--budget", type=float, help="seconds of a clip after which no further round begins")
    parser.add_argument("--resume", action="store_true", help="leave out the clips that --out has rows of")
    parser.add_argument("--keep", action="store_true", help="keep the clips in --cache")
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "sf-eval-decoding-clips")
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
