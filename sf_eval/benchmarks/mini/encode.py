"""Writes scenes as real files: H.264 in mp4 or Matroska, or a folder of JPEG frames."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from sf_eval.benchmarks.mini.scene import Scene, frames

_CONTAINERS = {".mp4": "mp4", ".mkv": "matroska"}


def write_video(path: Path, *scenes: Scene) -> None:
    """Encode scenes, one after another, as H.264 (yuv420p) in the container that the suffix names.

    One thread and no metadata: the same versions of PyAV and of this package write the same bytes.
    """
    import av

    first = scenes[0]
    container = av.open(
        str(path), "w", format=_CONTAINERS[path.suffix.lower()], container_options={"fflags": "+bitexact"}
    )
    with container:
        stream = container.add_stream("libx264", rate=Fraction(first.fps))
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"preset": "veryfast", "crf": "18", "g": "60"}
        for image in frames(*scenes):
            for packet in stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


def write_frames_folder(folder: Path, *scenes: Scene) -> None:
    """Write scenes as 00001.jpg, 00002.jpg, ... , the way MVBench ships its TV clips."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number, image in enumerate(frames(*scenes), start=1):
        Image.fromarray(image).save(folder / f"{number:05d}.jpg", quality=92)
