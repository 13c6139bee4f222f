"""decord: in order, brought to what PyAV shows.

decord 0.6.0 differs from the published way of reading in three things, which are undone here: it turns
pictures by the display matrix, it follows a BT.709 tag when it converts colours, and whatever seeks in it,
`skip_frames` too, can hang or give a neighbour of the wanted frame (seen with open groups of pictures and
with variable frame rates). So every frame is taken in turn, and never more than there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import decord
import numpy as np
from numpy.typing import NDArray

from sf_eval.video.backends import Decoded
from sf_eval.video.container import open_video
from sf_eval.video.edit_list import hidden_frames
from sf_eval.video.errors import VideoError, VideoErrorReason, ends_early

# ITU-T H.273 codes of the colour matrix
_BT709 = 1
_BT601 = (2, 5, 6)  # unspecified (taken as BT.601 by everybody here), BT.470BG, SMPTE 170M


class DecordBackend:
    """Takes every frame up to the last wanted one, in order."""

    def decode(self, path: Path, indices: Sequence[int]) -> Decoded:
        """See `Backend.decode`. In addition raises `unsupported` for colours that decord shows differently.

        Equal to PyAV to the last bit, but for files tagged BT.709: there more than 99.9% of the values of
        a natural picture are within 2 of 255, saturated ones within 10 (docs/video.md).
        """
        quarter_turns, matrix = _what_decord_changes(path)
        _refuse_edit_lists(path)
        try:
            reader = decord.VideoReader(str(path.absolute()))
            return _read(reader, path, indices, quarter_turns, matrix)
        except decord.DECORDError as error:
            detail = f"decord cannot decode it ({_reason(error)})"
            raise VideoError(path, VideoErrorReason.not_decodable, detail) from error


def _read(
    reader: Any, path: Path, indices: Sequence[int], quarter_turns: int, matrix: NDArray[np.float32] | None
) -> Decoded:
    if indices[-1] >= len(reader):
        raise ends_early(path, wanted=indices[-1], decoded=len(reader), stated=len(reader))
    pixels: NDArray[np.uint8] | None = None
    row = 0
    for position in range(indices[-1] + 1):
        try:
            shown = reader.next()
        except StopIteration:
            raise ends_early(path, wanted=indices[row], decoded=position, stated=len(reader)) from None
        if position != indices[row]:
            continue
        picture = np.rot90(shown.asnumpy(), quarter_turns)  # [H, W, 3]
        if pixels is None:
            pixels = np.empty((len(indices), *picture.shape), np.uint8)
        pixels[row] = picture if matrix is None else np.clip(np.rint(picture @ matrix.T), 0, 255)
        row += 1
    assert pixels is not None
    starts = reader.get_frame_timestamp([0, *indices])[:, 0]  # seconds
    return Decoded(pixels, tuple(float(start - starts[0]) for start in starts[1:]))


def _what_decord_changes(path: Path) -> tuple[int, NDArray[np.float32] | None]:
    """Quarter turns to undo decord's rotation; the matrix to undo its colours, if any.

    Raises:
        VideoError: not decodable, or changed in a way that cannot be undone.
    """
    with open_video(path) as (container, stream):
        first = next(container.decode(stream), None)
    if first is None:
        raise ends_early(path, wanted=0, decoded=0, stated=0)
    if first.rotation % 90:
        detail = f"decord turns it by {first.rotation} degrees, which cannot be undone; use pyav"
        raise VideoError(path, VideoErrorReason.unsupported, detail)
    quarter_turns = -first.rotation // 90 % 4
    if first.colorspace in _BT601 or first.format.is_rgb:
        return quarter_turns, None
    if first.colorspace != _BT709:
        detail = f"decord's conversion of its colours (matrix {first.colorspace}) cannot be undone; use pyav"
        raise VideoError(path, VideoErrorReason.unsupported, detail)
    back_to_601 = np.linalg.inv(_luma_chroma(0.299, 0.114)) @ _luma_chroma(0.2126, 0.0722)
    return quarter_turns, back_to_601.astype(np.float32)


def _refuse_edit_lists(path: Path) -> None:
    """decord counts the pictures that a trimmed mp4 leaves out: its frames are not those asked for."""
    if hidden_frames(path):
        detail = "it was trimmed by an edit list, which decord does not follow; use pyav"
        raise VideoError(path, VideoErrorReason.unsupported, detail)


def _luma_chroma(red: float, blue: float) -> NDArray[np.float64]:
    """The matrix from RGB to luma and two colour differences for luma weights `red` and `blue` (H.273)."""
    green = 1 - red - blue
    return np.array(
        [
            [red, green, blue],
            [-red / (2 - 2 * blue), -green / (2 - 2 * blue), 0.5],
            [0.5, -green / (2 - 2 * red), -blue / (2 - 2 * red)],
        ]
    )


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].rsplit("] ", 1)[-1].rsplit(": ", 1)[-1] if lines else "no reason given"


BACKEND = DecordBackend()
