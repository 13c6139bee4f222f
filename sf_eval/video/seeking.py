"""Wanted frames by seeking: the same pictures, bit for bit, as decoding in order, for a part of the work.

For each wanted frame the decoder starts at the last picture before it that needs no other
(`PacketIndex.starts`), takes no more packets than the frame needs, and leaves out pictures that nothing else
refers to. Every frame that comes out is held against the index. What does not fit raises `InOrderError`, and
the file is decoded in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import chain
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
        with open_video(path, threads=threads) as (container, stream):
            kept: list[Any] = []
            index = read_index(path, container, stream, kept)
            if isinstance(index, InOrderReason):
                raise InOrderError(index)
            if indices[-1] >= len(index):
                raise InOrderError(InOrderReason.count_differs)
            if not skip:
                index = replace(index, may_skip=False)
            return _Seeker(index, container, stream, kept).decode(indices, stack)
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
        with open_video(path, threads=1) as (container, stream):
            kept: list[Any] = []
            index = read_index(path, container, stream, kept)
            if isinstance(index, InOrderReason):
                return None
            _Seeker(index, container, stream, kept).decode([len(index) - 1], PictureStack(path, 1, None))
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
    """Decodes an open file whose index is known.

    Args:
        kept: all packets of the index; empty where they are to be read, behind a seek.
    """

    def __init__(self, index: PacketIndex, container: Any, stream: Any, kept: Sequence[Any]) -> None:
        self._index = index
        self._container = container
        self._stream = stream
        self._kept = kept

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {pts: position for position, pts in enumerate(self._index.pts)}

    def decode(self, indices: Sequence[int], stack: PictureStack) -> list[float]:
        index, codec = self._index, self._stream.codec_context
        rows = {index.pts[index.order[frame]]: row for row, frame in enumerate(indices)}
        parts = segments(index, indices)
        if any(min(index.pts[part.first : part.last + 1]) < index.pts[part.first] for part in parts):
            # Leading pictures: an error must come with its packet (`_outputs`), not some packets later.
            codec.thread_count = 1
        # Damage is an error here, not a picture patched from its neighbours: those may not be the same.
        codec.options = {"err_detect": "explode"}
        for part in parts:
            for frame in self._exact_frames(part):
                if (row := rows.get(frame.pts)) is not None:
                    stack.put_frame(row, indices[row], frame)
        base = self._stream.time_base
        seconds = [float(pts) * base.numerator / base.denominator for pts in (index.pts[0], *rows)]
        start_s = clock_start_s(self._container, seconds[0])
        return [second - start_s for second in seconds[1:]]

    def _exact_frames(self, segment: _Segment) -> Iterator[Any]:
        """`_frames`; from the beginning, and from an earlier start, if the decoder stumbles.

        Behind the start of an open group, a picture may give up a reference that the decoder never had, which
        is an error without being damage.
        """
        from av.error import FFmpegError

        starts = self._index.starts_up_to(segment.first, _STARTS_TRIED)
        for start in starts:
            try:
                yield from self._frames(_Segment(start, segment.last, segment.pts))
                return
            except FFmpegError:
                if start == starts[-1]:
                    raise

    def _frames(self, segment: _Segment) -> Iterator[Any]:
        """What comes out for the segment: every frame that has to, and maybe others.

        Raises:
            InOrderError: a frame is lacking, or one comes out that the index does not have there.
        """
        start_pts = self._index.pts[segment.first]
        lacking = set(segment.pts)
        before = None
        for frame in self._outputs(segment, start_pts):
            pts = frame.pts
            if pts is None or frame.is_corrupt:
                raise InOrderError(InOrderReason.disagreement)
            if pts < start_pts:  # a leading picture, which lacks what it refers to
                continue
            in_step = pts > before if before is not None else pts == start_pts and frame.key_frame
            if not in_step:
                raise InOrderError(InOrderReason.disagreement)
            before = pts
            lacking.discard(pts)
            yield frame
        if lacking:
            raise InOrderError(InOrderReason.disagreement)

    def _outputs(self, segment: _Segment, start_pts: int) -> Iterator[Any]:
        """What the decoder gives for the segment's packets, those left out that nothing needs."""
        from av.error import FFmpegError

        codec, may_skip = self._stream.codec_context, self._index.may_skip
        codec.flush_buffers()
        skipping, came = None, False
        for position, packet in enumerate(self._packets(segment), segment.first):
            pts = packet.pts
            skip = may_skip and pts not in segment.pts
            if skip is not skipping:
                codec.skip_frame = "NONREF" if skip else "DEFAULT"
                skipping = skip
            try:
                frames = codec.decode(packet)
            except FFmpegError:
                if pts >= start_pts:
                    raise
                continue  # a leading picture, shown before the segment's start: its references are not there
            if frames and not came:
                came = True
                if segment.first == 0:
                    self._check_delay(codec, position)
            yield from frames
        yield from codec.decode(None)

    def _check_delay(self, codec: Any, held_back: int) -> None:
        """Raise if the decoder holds back fewer frames than the order of the packets needs.

        In order it would then drop frames that come too late, and shift the count of all behind them.
        """
        if codec.thread_count != 1 and codec.name in _FRAME_THREADED:
            held_back -= codec.thread_count - 1
        if held_back < self._index.reorder_depth > 0:
            raise InOrderError(InOrderReason.reordering)

    def _packets(self, segment: _Segment) -> Iterable[Any]:
        """The packets of the segment, each as the index has it."""
        if self._kept:
            return self._kept[segment.first : segment.last + 1]
        return self._packets_read(segment)

    def _packets_read(self, segment: _Segment) -> Iterator[Any]:
        pts, sizes = self._index.pts, self._index.sizes
        packets = self._landed(segment.first)
        for position in range(segment.first, segment.last + 1):
            packet = next(packets, None)
            if packet is None or packet.pts != pts[position] or packet.size != sizes[position]:
                raise InOrderError(InOrderReason.disagreement)
            yield packet

    def _landed(self, position: int) -> Iterator[Any]:
        """The packets from `position` on, after seeking there or to somewhere before it."""
        for target in self._targets(position):
            self._container.seek(target, stream=self._stream, backward=True)
            packets = self._container.demux(self._stream)
            for packet in packets:
                found = self._positions.get(packet.pts)
                if found == position:
                    return chain([packet], packets)
                if packet.size == 0 or (found is not None and found > position):
                    break  # behind it, or at the end
        raise InOrderError(InOrderReason.disagreement)

    def _targets(self, position: int) -> list[int]:
        """Times to seek to, in turn: demuxers differ in whether they look for `pts` or `dts`."""
        index = self._index
        earlier = (index.dts[start] for start in index.starts_up_to(position, _STARTS_TRIED))
        times = [index.pts[position], *earlier, index.dts[0], index.pts[0]]
        return [time for time in times if time is not None]
