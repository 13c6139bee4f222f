"""Decoders behind one interface: the same frames for the same indices, in the published colours.

To add one: a module here with a class that fits `Backend`, and a line in `_BACKENDS`.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sf_eval.core.errors import UsageError, nearest
from sf_eval.core.resize import Resize
from sf_eval.video.types import DecodeOptions, VideoNote

# name -> (module of the library, what to install)
_BACKENDS = {"pyav": ("av", "av"), "decord": ("decord", "decord"), "torchcodec": ("torchcodec", "torchcodec")}


@dataclass(frozen=True)
class Decoded:
    """Pixels uint8 [T, H, W, 3], RGB, and T presentation times in seconds since the file's start (`clock`).

    T is the number of wanted frames, or less: then the file's edit list hides the last of them. `notes` say
    what was done otherwise than usual to get them, `resize_s` how long the resizing took, in seconds.
    """

    pixels: NDArray[np.uint8]
    times_s: tuple[float, ...]
    notes: tuple[VideoNote, ...] = ()
    resize_s: float = 0.0

    def resized(self, resize: Resize | None) -> Decoded:
        """The same with every picture resized; for decoders that give all pictures at once."""
        if resize is None:
            return self
        started = time.perf_counter()
        pixels = resize.stack(self.pixels)
        return replace(self, pixels=pixels, resize_s=time.perf_counter() - started)


class Backend(Protocol):
    """One way to decode a video file."""

    def decode(self, path: Path, indices: Sequence[int], options: DecodeOptions) -> Decoded:
        """The decoded frames at strictly increasing, non-negative `indices` (at least one).

        The i-th frame is the i-th that comes out of the decoder, whatever its time. The display rotation
        is not applied, and colours are converted with the BT.601 matrix whatever the file is tagged with,
        since that is how the published evaluation saw videos.

        Raises:
            VideoError: the file cannot be decoded, or has no such frame and no edit list that hides it.
        """
        ...


def available_backends() -> list[str]:
    """Names of the backends whose library is installed (not necessarily working), the default first."""
    return [name for name, (module, _) in _BACKENDS.items() if _is_installed(module)]


@lru_cache(maxsize=8)  # asked for every clip, and a look through the whole path takes milliseconds
def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def check_backend(name: str) -> None:
    """Raise UsageError unless `name` is an installed backend."""
    if name not in _BACKENDS:
        raise UsageError(f"there is no video backend called {name!r}.", hint=nearest(name, _BACKENDS))
    if name not in available_backends():
        package = _BACKENDS[name][1]
        raise UsageError(f"the video backend {name} is not installed.", hint=f"pip install {package}")


def get_backend(name: str) -> Backend:
    """The backend called `name`.

    Raises:
        UsageError: unknown, not installed, or installed without the shared libraries it needs.
    """
    check_backend(name)
    try:
        module = importlib.import_module(f"sf_eval.video.backends.{name}_backend")
    except (ImportError, OSError, RuntimeError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(
            f"the video backend {name} is installed but does not load: {first_line}",
            hint="Use --video-backend pyav."
            if name != "pyav"
            else "Reinstall it: pip install --force-reinstall av",
        ) from error
    backend: Backend = module.BACKEND
    return backend
