"""Where each frame of a video file is: its packets, read once without decoding.

The i-th frame out of the decoder is the packet with the i-th time, as long as every packet has a time of its
own and shows one picture. Where that is not certain, the reason is given instead of an index, and the file is
decoded in order.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sf_eval.video.access_points import nothing_needs_unreferenced, shows_one_picture, starts_anew
from sf_eval.video.types import InOrderReason

# Codecs and containers whose seeking is held to in-order decoding by tests; others are decoded in order.
CODECS = (
    "h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "mjpeg", "ffv1",
)  # fmt: skip
CONTAINERS = ("mp4", "matroska", "webm", "avi", "mpegts")


@dataclass(frozen=True)
class PacketIndex:
    """The packets of a file's video, in the order of decoding.

    Attributes:
        pts: times of presentation, in ticks of the stream; no two alike.
        dts: times of decoding, None where the container has none.
        sizes: in bytes.
        starts: positions of packets from which decoding is exact, increasing; the first is 0.
        order: `order[i]` is the position of the packet of the i-th presented frame.
        reorder_depth: the most packets that precede one in decoding and follow it in presentation.
        may_skip: whether pictures that FFmpeg calls non-reference can be left out without changing others.
    """

    pts: tuple[int, ...]
    dts: tuple[int | None, ...]
    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    order: tuple[int, ...]
    reorder_depth: int
    may_skip: bool

    def __len__(self) -> int:
        return len(self.pts)

    def starts_up_to(self, position: int, count: int | None = None) -> tuple[int, ...]:
        """The last `count` of `starts` up to `position`, the last first; all of them where None."""
        behind = bisect_right(self.starts, position)
        first = 0 if count is None else max(behind - count, 0)
        return self.starts[first:behind][::-1]


def read_index(
    path: Path, container: Any, stream: Any, kept: list[Any] | None = None
) -> PacketIndex | InOrderReason:
    """The packet index of an open file, or why it is to be decoded in order.

    Remembered for the last few files; else all packets are read now, from where the container stands.

    Args:
        kept: where the packets go that the index is made of, if they are read now and are not many bytes.

    Raises:
        av.error.FFmpegError: the file cannot be read to its end.
    """
    status = path.stat()
    key = (path, status.st_size, status.st_mtime_ns)
    index = _remembered.get(key)
    if index is None:
        index = _read(container, stream, [] if kept is None else kept)
        if kept and isinstance(index, InOrderReason):
            kept.clear()
        with _guard:
            while len(_remembered) >= _FILES_REMEMBERED:
                del _remembered[next(iter(_remembered))]
            _remembered[key] = index
    return index


def forget() -> None:
    """Read every file's index anew from now on; for measurements."""
    with _guard:
        _remembered.clear()


_FILES_REMEMBERED = 4
_guard = threading.Lock()
_remembered: dict[tuple[Path, int, int], PacketIndex | InOrderReason] = {}
# So many bytes of packets are kept, so that a small file's need not be read twice.
_KEPT_BYTES = 16_000_000


def _read(container: Any, stream: Any, kept: list[Any]) -> PacketIndex | InOrderReason:
    if not set(container.format.name.split(",")) & set(CONTAINERS):
        return InOrderReason.unknown_format
    codec = stream.codec_context.name
    stated, extradata = stream.frames, bytes(stream.codec_context.extradata or b"")
    if (codec := _CANONICAL.get(codec, codec)) not in CODECS:
        return InOrderReason.unknown_format
    packets = _Packets(codec, extradata)
    room = _KEPT_BYTES
    for packet in container.demux(stream):
        if (odd := packets.add(packet)) is not None:
            return odd
        room -= packet.size
        if room >= 0 and packet.size:
            kept.append(packet)
    if room < 0:
        kept.clear()
    return packets.index(stated)


# Names of FFmpeg's decoders that differ from the codec's.
_CANONICAL = {"libdav1d": "av1", "libaom-av1": "av1", "libvpx": "vp8", "libvpx-vp9": "vp9"}


class _Packets:
    """Packets as they come, until one is odd."""

    def __init__(self, codec: str, extradata: bytes) -> None:
        self._pts: list[int] = []
        self._dts: list[int | None] = []
        self._sizes: list[int] = []
        self._starts: list[int] = []
        self._starts_anew = starts_anew(codec, extradata)
        self._shows_one = shows_one_picture(codec) if codec in ("vp8", "vp9") else None
        self._may_skip = nothing_needs_unreferenced(codec, extradata)

    def add(self, packet: Any) -> InOrderReason | None:
        pts, size = packet.pts, packet.size
        if not size:
            # What PyAV gives behind the last packet has no time; with one it stands for a repeated picture.
            return None if pts is None and packet.dts is None else InOrderReason.hidden_pictures
        if pts is None:
            return InOrderReason.missing_times
        if packet.is_discard:
            return InOrderReason.edit_list
        if packet.is_corrupt:
            return InOrderReason.damaged
        if self._shows_one is not None and not self._shows_one(memoryview(packet)):
            return InOrderReason.hidden_pictures
        if packet.is_keyframe and self._starts_anew(bytes(packet)):
            self._starts.append(len(self._pts))
        self._pts.append(pts)
        self._dts.append(packet.dts)
        self._sizes.append(size)
        return None

    def index(self, stated: int) -> PacketIndex | InOrderReason:
        """The index, if the whole makes sense; `stated` frames by the container, 0 where it says nothing."""
        if not self._pts or (stated > 0 and stated != len(self._pts)):
            return InOrderReason.count_differs
        times = np.asarray(self._pts, np.int64)
        order = np.argsort(times, kind="stable")
        if not np.diff(times[order]).all():
            return InOrderReason.doubled_times
        if self._starts[:1] != [0] or order[0] != 0:
            return InOrderReason.starts_inside_group
        ranks = np.empty(len(order), np.int64)
        ranks[order] = np.arange(len(order))
        # A packet at position p with rank r has at least p - r packets before it that are shown after it.
        depth = int((np.arange(len(order)) - ranks).max())
        return PacketIndex(
            tuple(self._pts),
            tuple(self._dts),
            tuple(self._sizes),
            tuple(self._starts),
            tuple(order.tolist()),
            depth,
            self._may_skip,
        )
