"""What coded bytes say of the picture in them: whether decoding can start there, and whether it is shown.

A container's "key frame" flag means different things to different writers. Where a decoder may start so that
every later frame comes out to the last bit is written in the bytes themselves. Sources: ITU-T H.264 7.3.1 and
D.2.8 (recovery point), ITU-T H.265 7.4.2.2, RFC 6386 9.1 (VP8), VP9 bitstream specification 6.2 and annex B.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

_H264_SLICES, _H264_IDR, _H264_SEI = range(1, 6), 5, 6
_RECOVERY_POINT = 6  # type of the SEI message
_RECOVERS_AT_ONCE = 0b110  # 0 frames until recovery ("1"), exact match, link not broken
_H265_SLICES, _H265_RANDOM_ACCESS, _H265_SPS = range(32), range(16, 22), 33


def starts_anew(codec: str, extradata: bytes) -> Callable[[bytes], bool]:
    """A test of a key packet: whether all frames behind it are exact if decoding starts there.

    "Behind" is in the order of presentation: pictures of an open group that are shown before their key frame
    need the group before it.

    Args:
        codec: FFmpeg's name.
        extradata: the stream's; it tells how the packets are cut into units.
    """
    if codec == "h264":
        prefix = (extradata[4] & 3) + 1 if len(extradata) > 6 and extradata[0] == 1 else 0
        return lambda data: _h264_starts_anew(_units(data, prefix))
    if codec == "hevc":
        prefix = (extradata[21] & 3) + 1 if _is_hvcc(extradata) else 0
        return lambda data: _h265_starts_anew(_units(data, prefix))
    return _always


def shows_one_picture(codec: str) -> Callable[[memoryview], bool]:
    """A test of a packet: whether exactly one picture is shown for it (VP8 and VP9 have hidden ones)."""
    return {"vp8": _vp8_shows_one, "vp9": _vp9_shows_one}.get(codec, _always)


def nothing_needs_unreferenced(codec: str, extradata: bytes) -> bool:
    """Whether leaving out pictures that FFmpeg calls non-reference changes no other picture of the stream.

    Not so for VP8 and VP9, whose segmentation and probabilities outlive a picture, nor for H.265 with
    temporal layers, where "non-reference" is meant within a layer.
    """
    if codec == "hevc":
        return _h265_layers(extradata) == 1
    return codec in ("h264", "mpeg1video", "mpeg2video", "mpeg4")


def _always(_: object) -> bool:
    return True


def _units(data: bytes, prefix: int) -> Iterator[bytes]:
    """The NAL units of a packet, each behind its length of `prefix` bytes, or behind start codes (0)."""
    if prefix:
        at = 0
        while at + prefix < len(data):
            end = at + prefix + int.from_bytes(data[at : at + prefix], "big")
            yield data[at + prefix : end]
            at = end
        return
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        yield data[at + 3 : following if following >= 0 else len(data)]
        at = following


def _h264_starts_anew(units: Iterator[bytes]) -> bool:
    recovers = False
    for unit in units:
        kind = unit[0] & 31 if unit else 0
        if kind == _H264_SEI:
            recovers = recovers or _recovers_at_once(unit[1:].replace(b"\0\0\3", b"\0\0"))
        elif kind in _H264_SLICES:
            return kind == _H264_IDR or recovers
    return False


def _recovers_at_once(messages: bytes) -> bool:
    at = 0
    while at + 2 < len(messages):
        kind = size = 0
        while at < len(messages) and messages[at] == 255:
            kind, at = kind + 255, at + 1
        kind, at = kind + messages[at], at + 1
        while at < len(messages) and messages[at] == 255:
            size, at = size + 255, at + 1
        if at + 1 >= len(messages):
            return False
        size, at = size + messages[at], at + 1
        if kind == _RECOVERY_POINT:
            return messages[at] >> 5 == _RECOVERS_AT_ONCE
        at += size
    return False


def _h265_starts_anew(units: Iterator[bytes]) -> bool:
    kinds = (unit[0] >> 1 & 63 for unit in units if unit)
    first_slice = next((kind for kind in kinds if kind in _H265_SLICES), None)
    return first_slice in _H265_RANDOM_ACCESS


def _is_hvcc(extradata: bytes) -> bool:
    return len(extradata) > 22 and extradata[0] == 1


def _h265_layers(extradata: bytes) -> int:
    """Temporal layers of the stream; 0 where it is not said."""
    if _is_hvcc(extradata):
        return extradata[21] >> 3 & 7
    layers = [
        (unit[2] >> 1 & 7) + 1
        for unit in _units(extradata, 0)
        if len(unit) > 2 and unit[0] >> 1 & 63 == _H265_SPS
    ]
    return max(layers, default=0)


def _vp8_shows_one(data: memoryview) -> bool:
    return len(data) > 0 and bool(data[0] >> 4 & 1)


def _vp9_shows_one(data: memoryview) -> bool:
    last = data[-1] if len(data) else 0
    if last >> 5 != 0b110:
        return _vp9_is_shown(data)
    count, width = (last & 7) + 1, (last >> 3 & 3) + 1
    table = len(data) - 1 - count * width
    if table < 1 or data[table - 1] != last:
        return _vp9_is_shown(data)  # the byte is an ordinary one
    at = shown = 0
    for row in range(count):
        size = int.from_bytes(data[table + row * width : table + (row + 1) * width], "little")
        shown += size > 0 and _vp9_is_shown(data[at : at + size])
        at += size
    return shown == 1


def _vp9_is_shown(frame: memoryview) -> bool:
    if not len(frame) or frame[0] >> 6 != 0b10:
        return False
    bits = frame[0] << 8 | (frame[1] if len(frame) > 1 else 0)
    profile = bits >> 13 & 1 | (bits >> 12 & 1) << 1
    behind = 11 if profile < 3 else 10  # profile 3 has one reserved bit more
    shows_existing, is_shown = bits >> behind & 1, bits >> behind - 2 & 1
    return bool(shows_existing or is_shown)
