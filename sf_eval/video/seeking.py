"""Wanted frames by seeking: the same pictures, bit for bit, as decoding in order, for a part of the work.

For each wanted frame the decoder starts at the last picture before it that needs no other
(`PacketIndex.starts`), takes no more packets than the frame needs, and leaves out pictures that nothing else
refers to. Every frame that comes out is held against the index. What does not fit raises `InOrderError`, and
the file is decoded in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sf_eval.video.clock import clock_start_s
from sf_eval.video.container import open_video
from sf_eval.video.errors import VideoError
from sf_eval.video.packet_index import PacketIndex, read_index
from sf_eval.video.pictures import PictureStack
from sf_eval.video.types import InOrderReason

# Going on over so many packets is cheaper than emptying the decoder and seeking.
_NEAR = 4
# So many frames from the file's start are always decoded, all of them: a stream whose packets are not its
# frames (fields, hidden pictures, a decoder that drops what comes too late) shows there.
_PROBED = 16
# From so many starts a segment is tried before the file counts as damaged.
_STARTS_TRIED = 3
# Decoders that take a packet more for each further thread before the first frame comes out.
_FRAME_THREADED = ("h264", "hevc", "mpeg4")


class InOrderError(Exception):
    """The file is to be decoded in order, for `reason`."""

    def __init__(self, reason: InOrderReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass
class _Segment:
    """Packets `first` to `last` of the index; the frames at `pts` have to come out."""

    first: int
    last: int
    pts: set[int]


def decode_by_seeking(
    path: Path, indices: Sequence[int], stack: PictureStack, *, threads: int | None, skip: bool = True
) -> list[float]:
    """Put the frames at strictly increasing `indices` into `stack`.

    Args:
        threads: of FFmpeg; None is as many as there are cores.
        skip: leave out pictures that no other needs, where that is exact.

    Returns:
        Presentation times in seconds since the file's first frame.

    Raises:
        InOrderError: the file is odd or damaged; what `stack` holds is void.
    """
    try:
        index = read_index(path)
        if isinstance(index, InOrderReason):
            raise InOrderError(index)
        if indices[-1] >= len(index):
            raise InOrderError(InOrderReason.count_differs)
        if not skip:
            index = replace(index, may_skip=False)
        return _Seeker(path, index, threads).decode(indices, stack)
    except VideoError as error:
        raise InOrderError(InOrderReason.damaged) from error


def count_by_index(path: Path) -> int | None:
    """How many frames come out of the decoder, by the packet index; None where only decoding can tell.

    The first frames and the last one are decoded to see that packets and frames are the same. Remembered.
    """
    status = path.stat()
    return _count(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _count(path: Path, size: int, modified_ns: int) -> int | None:  # noqa: ARG001 - part of the cache's key
    try:
        index = read_index(path)
        if isinstance(index, InOrderReason):
            return None
        _Seeker(path, index, threads=1).decode([len(index) - 1], PictureStack(path, 1, None))
    except (VideoError, InOrderError):
        return None
    return len(index)


def segments(index: PacketIndex, indices: Sequence[int]) -> list[_Segment]:
    """The runs of packets to decode for the frames at `indices`, in order, no two within `_NEAR` packets."""
    probed = range(min(_PROBED, len(index)))
    wanted = [_Segment(0, position, {index.pts[position]}) for position in probed]
    wanted += [_segment_of(index, index.order[frame]) for frame in indices]
    merged: list[_Segment] = []
    for segment in sorted(wanted, key=lambda segment: segment.first):
        if merged and segment.first <= merged[-1].last + _NEAR:
            merged[-1].last = max(merged[-1].last, segment.last)
            merged[-1].pts |= segment.pts
        else:
            merged.append(segment)
    return merged


def _segment_of(index: PacketIndex, position: int) -> _Segment:
    time = index.pts[position]
    # The leading pictures of an open group need the start before their own.
    first = next(start for start in index.starts_up_to(position) if index.pts[start] <= time)
    return _Segment(first, position, {time})


class _Seeker:
    def __init__(self, path: Path, index: PacketIndex, threads: int | None) -> None:
        self._path = path
        self._index = index
        self._threads = threads
        self._positions = {pts: position for position, pts in enumerate(index.pts)}

    def decode(self, indices: Sequence[int], stack: PictureStack) -> list[float]:
        index = self._index
        rows = {index.pts[index.order[frame]]: row for row, frame in enumerate(indices)}
        parts = segments(index, indices)
        if any(self._has_leading(part) for part in parts):
            self._threads = 1  # an error must come with its packet (`_decoded`), not some packets later
        with open_video(self._path, threads=self._threads) as (container, stream):
            # Damage is an error here, not a picture patched from its neighbours: those may not be the same.
            stream.codec_context.options = {"err_detect": "explode"}
            base = stream.time_base
            for part in parts:
                for frame in self._exact_frames(container, stream, part):
                    if (row := rows.get(frame.pts)) is not None:
                        stack.put(row, indices[row], frame.to_ndarray(format="rgb24"))
            seconds = [float(pts) * base.numerator / base.denominator for pts in (index.pts[0], *rows)]
            start_s = clock_start_s(container, seconds[0])
        return [second - start_s for second in seconds[1:]]

    def _exact_frames(self, container: Any, stream: Any, segment: _Segment) -> Iterator[Any]:
        """`_frames`; from the beginning, and from an earlier start, if the decoder stumbles.

        Behind the start of an open group, a picture may give up a reference that the decoder never had, which
        is an error without being damage.
        """
        from av.error import FFmpegError

        starts = self._index.starts_up_to(segment.first, _STARTS_TRIED)
        for start in starts:
            try:
                yield from self._frames(container, stream, _Segment(start, segment.last, segment.pts))
                return
            except FFmpegError:
                if start == starts[-1]:
                    raise

    def _frames(self, container: Any, stream: Any, segment: _Segment) -> Iterator[Any]:
        """What comes out for the segment: every frame that has to, and maybe others.

        Raises:
            InOrderError: a frame is lacking, or one comes out that the index does not have there.
        """
        start_pts = self._index.pts[segment.first]
        lacking = set(segment.pts)
        before = None
        for frame in self._outputs(container, stream, segment):
            if frame.pts is None or frame.is_corrupt:
                raise InOrderError(InOrderReason.disagreement)
            if frame.pts < start_pts:  # a leading picture, which lacks what it refers to
                continue
            in_step = frame.pts > before if before is not None else frame.pts == start_pts and frame.key_frame
            if not in_step:
                raise InOrderError(InOrderReason.disagreement)
            before = frame.pts
            lacking.discard(frame.pts)
            yield frame
        if lacking:
            raise InOrderError(InOrderReason.disagreement)

    def _outputs(self, container: Any, stream: Any, segment: _Segment) -> Iterator[Any]:
        codec = stream.codec_context
        codec.flush_buffers()
        skipping, came = None, False
        for position, packet in enumerate(self._packets(container, stream, segment), segment.first):
            skip = self._index.may_skip and packet.pts not in segment.pts
            if skip is not skipping:
                codec.skip_frame = "NONREF" if skip else "DEFAULT"
                skipping = skip
            for frame in _decoded(codec, packet, may_fail=self._leads(position, segment)):
                if not came and segment.first == 0:
                    self._check_delay(codec, position)
                came = True
                yield frame
        yield from codec.decode(None)

    def _has_leading(self, segment: _Segment) -> bool:
        return any(self._leads(position, segment) for position in range(segment.first, segment.last + 1))

    def _leads(self, position: int, segment: _Segment) -> bool:
        """Whether the packet is a leading picture: behind its segment's start, but shown before it."""
        return self._index.pts[position] < self._index.pts[segment.first]

    def _check_delay(self, codec: Any, held_back: int) -> None:
        """Raise if the decoder holds back fewer frames than the order of the packets needs.

        In order it would then drop frames that come too late, and shift the count of all behind them.
        """
        if self._threads != 1 and codec.name in _FRAME_THREADED:
            held_back -= codec.thread_count - 1
        if held_back < self._index.reorder_depth > 0:
            raise InOrderError(InOrderReason.reordering)

    def _packets(self, container: Any, stream: Any, segment: _Segment) -> Iterator[Any]:
        """The packets of the segment, each as the index has it."""
        packets = self._landed(container, stream, segment.first)
        for position in range(segment.first, segment.last + 1):
            packet = next(packets, None)
            if packet is None or (packet.pts, packet.size) != (
                self._index.pts[position],
                self._index.sizes[position],
            ):
                raise InOrderError(InOrderReason.disagreement)
            yield packet

    def _landed(self, container: Any, stream: Any, position: int) -> Iterator[Any]:
        """The packets from `position` on, after seeking there or to somewhere before it."""
        for target in self._targets(position):
            container.seek(target, stream=stream, backward=True)
            packets = container.demux(stream)
            for packet in packets:
                found = self._positions.get(packet.pts)
                if found == position:
                    return _with(packet, packets)
                if packet.size == 0 or (found is not None and found > position):
                    break  # behind it, or at the end
        raise InOrderError(InOrderReason.disagreement)

    def _targets(self, position: int) -> list[int]:
        """Times to seek to, in turn: demuxers differ in whether they look for `pts` or `dts`."""
        index = self._index
        earlier = (index.dts[start] for start in index.starts_up_to(position, _STARTS_TRIED))
        times = [index.pts[position], *earlier, index.dts[0], index.pts[0]]
        return [time for time in times if time is not None]


def _decoded(codec: Any, packet: Any, *, may_fail: bool) -> list[Any]:
    """The frames that come out for `packet`; none for a leading picture whose references are not there."""
    from av.error import FFmpegError

    try:
        frames: list[Any] = codec.decode(packet)
    except FFmpegError:
        if not may_fail:
            raise
        return []
    return frames


def _with(packet: Any, others: Iterator[Any]) -> Iterator[Any]:
    yield packet
    yield from others
