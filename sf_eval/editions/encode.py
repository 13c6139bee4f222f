"""Writes scenes as real files: H.264 in mp4 or Matroska, or a folder of JPEG frames."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from sf_eval.editions.scene import Image, Scene, frames

_CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}


def write_video(path: Path, *scenes: Scene) -> None:
    """Write scenes, one after another, into the container that the suffix names.

    The same versions of PyAV and of this package write the same bytes.
    """
    encode(str(path), _CONTAINERS[path.suffix.lower()], scenes[0].fps, frames(*scenes), crf=18)


def encode(
    target: str | BinaryIO, container_format: str, fps: int, images: Iterable[Image], *, crf: int
) -> None:
    """Encode images [height, width, 3] as H.264 (yuv420p), on one thread and without metadata."""
    import av

    container = av.open(target, "w", format=container_format, container_options={"fflags": "+bitexact"})
    with container:
        stream = None
        for image in images:
            if stream is None:
                stream = container.add_stream("libx264", rate=Fraction(fps))
                stream.height, stream.width = image.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.thread_count = 1
                stream.codec_context.options = {"preset": "veryfast", "crf": str(crf), "g": "60"}
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        assert stream is not None
        for packet in stream.encode():
            container.mux(packet)


def write_frames_folder(folder: Path, *scenes: Scene) -> None:
    """Write scenes as 00001.jpg, 00002.jpg, ... , the way MVBench ships its TV clips."""
    from PIL import Image as PillowImage

    folder.mkdir(parents=True)
    for number, image in enumerate(frames(*scenes), start=1):
        PillowImage.fromarray(image).save(folder / f"{number:05d}.jpg", quality=92)
