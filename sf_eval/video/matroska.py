"""Whether a webm or mkv file is all there.

These containers carry no frame index that a cut-off file would contradict: FFmpeg reads what is left and
calls it the end. The top element, though, states its size (RFC 8794, RFC 9559).
"""

from __future__ import annotations

from pathlib import Path

_SEGMENT = 0x18538067


def missing_bytes(path: Path) -> int:
    """How many bytes the file is shorter than its segment says; 0 for a live stream of unknown size."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4096)
    position = 0
    while position < len(head):
        try:
            element, data = _number(head, position, keep_marker=True)
            length, data = _number(head, data, keep_marker=False)
        except IndexError:
            return 0
        if element == _SEGMENT:
            return 0 if length is None else max(data + length - size, 0)
        if element is None or length is None:
            return 0
        position = data + length
    return 0


def _number(data: bytes, position: int, *, keep_marker: bool) -> tuple[int | None, int]:
    """The variable-length integer at `position` (None: all ones, "unknown") and the position behind it."""
    first = data[position]
    width = 9 - first.bit_length()
    if width > 8 or position + width > len(data):
        raise IndexError(position)
    value = int.from_bytes(data[position : position + width], "big")
    if not keep_marker:
        value &= (1 << 7 * width) - 1
        if value == (1 << 7 * width) - 1:
            return None, position + width
    return value, position + width
