"""A clip to measure with, where the user has none: a moving pattern in H.264, made with PyAV."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

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


def still_frames(frames: int) -> np.ndarray:
    """uint8 [T, H, W, 3] without any decoder: for machines that have none."""
    return np.stack([_picture(index) for index in range(frames)])
