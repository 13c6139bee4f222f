"""decord: in order, brought to what PyAV shows.

decord 0.6.0 differs from the published way of reading in three things, which are undone here: it turns
pictures by the display matrix, it follows a BT.709 tag when it converts colours, and whatever seeks in it,
`skip_frames` too, can hang or give a neighbour of the wanted frame (seen with open groups of pictures and
with variable frame rates). So every frame is taken in turn, and never more than there are. It also scales
pictures of another size and repeats what is damaged without a word, so PyAV decodes the same frames first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import decord
import numpy as np
from numpy.typing import NDArray

from sf_eval.video.backends import Decoded
from sf_eval.video.backends.again import with_one_thread_if_damaged
from sf_eval.video.backends.first_picture import FirstPicture, first_picture, unsupported
from sf_eval.video.edit_list import hidden_frames
from sf_eval.video.errors import VideoError, VideoErrorReason, ends_early
from sf_eval.video.types import DecodeOptions

# ITU-T H.273 codes of the colour matrix
_BT709 = 1
_BT601 = (2, 5, 6)  # unspecified (taken as BT.601 by everybody here), BT.470BG, SMPTE 170M


class DecordBackend:
    """Takes every frame up to the last wanted one, in order."""

    def decode(self, path: Path, indices: Sequence[int], options: DecodeOptions) -> Decoded:
        """See `Backend.decode`. In addition raises `unsupported` for colours that decord shows differently.

        Equal to PyAV to the last bit, but for files tagged BT.709: there more than 99.9% of the values of
        a natural picture are within 2 of 255, saturated ones within 10 (docs/video.md).
        """
        first = first_picture(path, indices[-1])
        undo = _undo(path, first)
        _refuse_edit_lists(path)
        decoded = with_one_thread_if_damaged(
            lambda threads: _decode(path, indices, first, undo, threads), threads=options.threads
        )
        return decoded.resized(options.resize)


@dataclass(frozen=True)
class _Undo:
    """Quarter turns to undo decord's rotation; the matrix to undo its colours, if any."""

    quarter_turns: int
    matrix: NDArray[np.float32] | None


def _decode(
    path: Path, indices: Sequence[int], first: FirstPicture, undo: _Undo, threads: int | None
) -> Decoded:
    try:
        reader = decord.VideoReader(str(path.absolute()), num_threads=threads or 0)
        return _read(reader, path, indices, first, undo)
    except decord.DECORDError as error:
        detail = f"decord cannot decode it ({_reason(error)})"
        raise VideoError(path, VideoErrorReason.not_decodable, detail) from error


def _read(reader: Any, path: Path, indices: Sequence[int], first: FirstPicture, undo: _Undo) -> Decoded:
    if indices[-1] >= len(reader):
        if first.rivals:
            raise _another_stream(path)
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
        picture = np.rot90(shown.asnumpy(), undo.quarter_turns)  # [H, W, 3]
        if pixels is None:
            _require_size(path, first, picture)
            pixels = np.empty((len(indices), *picture.shape), np.uint8)
        pixels[row] = picture if undo.matrix is None else np.clip(np.rint(picture @ undo.matrix.T), 0, 255)
        row += 1
    assert pixels is not None
    starts = reader.get_frame_timestamp([0, *indices])[:, 0]  # seconds
    return Decoded(pixels, tuple(float(start - starts[0]) + first.shown_at_s for start in starts[1:]))


def _require_size(path: Path, first: FirstPicture, picture: NDArray[np.uint8]) -> None:
    """decord cannot be told which video stream to take: the size must tell that it took the film."""
    height, width, _ = picture.shape
    if first.size in first.rivals or (width, height) != first.size:
        raise _another_stream(path)


def _another_stream(path: Path) -> VideoError:
    return unsupported(path, "it has several video streams, and decord may take another than the film")


def _undo(path: Path, first: FirstPicture) -> _Undo:
    """What brings decord's pictures back to the published ones.

    Raises:
        VideoError: it changes them in a way that cannot be undone.
    """
    if first.rotation % 90:
        raise unsupported(path, f"decord turns it by {first.rotation} degrees, which cannot be undone")
    quarter_turns = -first.rotation // 90 % 4
    if first.colorspace in _BT601 or first.is_rgb:
        return _Undo(quarter_turns, None)
    if first.colorspace != _BT709:
        detail = f"decord's conversion of its colours (matrix {first.colorspace}) cannot be undone"
        raise unsupported(path, detail)
    back_to_601 = np.linalg.inv(_luma_chroma(0.299, 0.114)) @ _luma_chroma(0.2126, 0.0722)
    return _Undo(quarter_turns, back_to_601.astype(np.float32))


def _refuse_edit_lists(path: Path) -> None:
    """decord counts the pictures that a trimmed mp4 leaves out: its frames are not those asked for."""
    if hidden_frames(path):
        raise unsupported(path, "it was trimmed by an edit list, which decord does not follow")


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
