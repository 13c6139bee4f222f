"""A clip to measure with, where the user has none: a moving pattern in H.264, made with PyAV."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Generator, Iterable
from pathlib import Path

import numpy as np

from sf_eval.core.resize import Resize
from sf_eval.video import Clip, Frames, VideoError, VideoInfo

WIDTH, HEIGHT, FPS = 640, 360, 24
_GROUP = 48  # frames between key frames: two seconds, as videos on the net have


def can_render() -> bool:
    return importlib.util.find_spec("av") is not None


def render(path: Path, frames: int) -> None:
    """Write `frames` frames of 640 x 360 at 24 a second; one build of FFmpeg gives the same bytes."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "28"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = _GROUP
        stream.thread_count = 1
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(_picture(index), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _picture(index: int) -> np.ndarray:
    """[H, W, 3]: slow gradients and a block that moves."""
    rows = np.linspace(0, 255, HEIGHT, dtype=np.float32)[:, None]
    columns = np.linspace(0, 255, WIDTH, dtype=np.float32)[None, :]
    picture = np.empty((HEIGHT, WIDTH, 3), dtype=np.uint8)
    picture[..., 0] = (rows + index) % 256
    picture[..., 1] = (columns + 2 * index) % 256
    picture[..., 2] = (rows + columns) / 2
    left = 7 * index % (WIDTH - 60)
    picture[150:210, left : left + 60] = (255, 240, 60)
    return picture


class StillSource:
    """In the place of a `ClipPool` where nothing can decode: frames drawn beforehand, resized each time."""

    def __init__(self, frames: int, resize: Resize) -> None:
        self._drawn = [_picture(index) for index in range(frames)]
        self._resize = resize

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]:
        """Each clip with the same frames."""
        count = len(self._drawn)
        for clip in clips:
            start = time.perf_counter()
            pixels = np.stack([self._resize(picture) for picture in self._drawn])
            yield (
                clip,
                Frames(
                    pixels=pixels,
                    indices=tuple(range(count)),
                    times_s=tuple(index / FPS for index in range(count)),
                    info=VideoInfo(clip.path, count, FPS, count / FPS, WIDTH, HEIGHT, "drawn"),
                    decode_s=0.0,
                    resize_s=time.perf_counter() - start,
                ),
            )
