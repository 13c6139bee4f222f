"""torchcodec, where it is installed (it needs FFmpeg's shared libraries and a matching torch)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torchcodec.decoders import VideoDecoder

from sf_eval.video.backends import Decoded
from sf_eval.video.backends.first_picture import FirstPicture, first_picture, unsupported
from sf_eval.video.edit_list import hides_the_rest
from sf_eval.video.errors import VideoError, VideoErrorReason, ends_early
from sf_eval.video.types import DecodeOptions

_BT601 = (2, 5, 6)  # H.273: unspecified (taken as BT.601), BT.470BG, SMPTE 170M


class TorchcodecBackend:
    """Frames by index, after a scan of the whole file so that indices are exact."""

    def decode(self, path: Path, indices: Sequence[int], options: DecodeOptions) -> Decoded:
        """See `Backend.decode`. In addition raises `unsupported` for rotated files and for colours that
        torchcodec converts by their tag.
        """
        first = first_picture(path, indices[-1])
        _refuse_what_it_changes(path, first)
        try:
            decoder = VideoDecoder(
                str(path.absolute()),
                stream_index=first.stream_index,
                dimension_order="NHWC",
                seek_mode="exact",
                num_ffmpeg_threads=1,  # with more, damage behind the wanted frames stops it
            )
            count = len(decoder)
            existing = [index for index in indices if index < count]
            if len(existing) < len(indices) and not (existing and hides_the_rest(path, count)):
                raise ends_early(path, wanted=indices[-1], decoded=count, stated=count)
            batch = decoder.get_frames_at(existing)
            first_s = decoder.get_frame_at(0).pts_seconds
        except (RuntimeError, ValueError, IndexError) as error:
            detail = f"torchcodec cannot decode it ({str(error).splitlines()[0] if str(error) else error!r})"
            raise VideoError(path, VideoErrorReason.not_decodable, detail) from error
        times_s = tuple(float(start) - first_s + first.shown_at_s for start in batch.pts_seconds)
        return Decoded(np.ascontiguousarray(batch.data.numpy()), times_s).resized(options.resize)


def _refuse_what_it_changes(path: Path, first: FirstPicture) -> None:
    if first.rotation:
        raise unsupported(path, "torchcodec turns it by its display matrix")
    if first.colorspace not in _BT601 and not first.is_rgb:
        raise unsupported(path, f"torchcodec converts its colours (matrix {first.colorspace}) by their tag")


BACKEND = TorchcodecBackend()
