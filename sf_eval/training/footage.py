"""Training videos: scenes of the mini editions' kind, encoded as H.264, decoded, and seen through a tower.

A tower sees single frames, so that a video's features are computed once; every step of the decoder's training
reads them again.
"""

from __future__ import annotations

import io
import random
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch
from numpy.typing import NDArray

from sf_eval.editions.encode import encode
from sf_eval.editions.questions import SceneMaker
from sf_eval.editions.scene import Scene, frames
from sf_eval.model.preprocess import centre_square, normalise

Pixels = NDArray[np.uint8]

_FPS = 4  # two frames a tick: less to encode than at 30, and events still begin and end between samples
_SIZES = ((128, 96), (160, 90), (96, 128))
_QUALITIES = (16, 18, 20, 23)  # CRF around that of the editions


@dataclass(frozen=True)
class Video:
    """One training video as the decoder's training sees it.

    Attributes:
        features: the tower's output at each tick, before projector and pooling: [T, g, g, C], float16.
    """

    scene: Scene
    features: torch.Tensor


def draw_scenes(seed: str, count: int, durations_s: Sequence[float]) -> list[Scene]:
    """`count` scenes, their durations by turns."""
    maker = SceneMaker(seed, "train")
    return [
        maker.scene(durations_s[number % len(durations_s)], _FPS, size=maker.rng.choice(_SIZES))
        for number in range(count)
    ]


def watch(scene: Scene, image_size: int) -> Pixels:
    """A scene's ticks as a square tower sees them: [T, S, S, 3]."""
    return np.stack([centre_square(frame, image_size) for frame in watch_whole(scene)])


def watch_whole(scene: Scene) -> Pixels:
    """Encode a scene, decode it, and take the frame at each of its ticks: [T, H, W, 3]."""
    import av

    file = io.BytesIO()
    quality = random.Random(repr(scene)).choice(_QUALITIES)
    encode(file, "mp4", scene.fps, frames(scene), crf=quality)
    file.seek(0)
    wanted = set(scene.ticks)
    shown = []
    with av.open(file) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                shown.append(frame.to_ndarray(format="rgb24"))
    return np.stack(shown)


def watch_all(
    scenes: Sequence[Scene], look: Callable[[Scene], Pixels], processes: int | None = None
) -> Iterator[Pixels]:
    """`look` at each scene, in order, `processes` at a time (as many as there are cores)."""
    ignored = (signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with ProcessPoolExecutor(
        processes, mp_context=get_context("spawn"), initializer=signal.signal, initargs=ignored
    ) as pool:
        yield from pool.map(look, scenes, chunksize=4)


@torch.inference_mode()
def see(tower: torch.nn.Module, pixels: Pixels, chunk_frames: int = 32) -> torch.Tensor:
    """The tower's output for frames [T, S, S, 3]: [T, g, g, C], float16."""
    device = next(tower.parameters()).device
    frames_T3SS = normalise(torch.from_numpy(pixels).to(device))
    frames_T3SS = frames_T3SS.contiguous(memory_format=torch.channels_last)
    return torch.cat([tower(chunk).half().cpu() for chunk in frames_T3SS.split(chunk_frames)])
