"""A video's tokens as a grid, pooled to fast tokens, and where its slow tokens stand among them.

Shapes: T frames of the tower's output, h x w cells of a frame, D hidden size; P position axes (1, or 3 under
M-RoPE: time, height, width).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d

from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.model.errors import SlowPathError
from sf_eval.model.tokens import interpolate

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class VideoGrid:
    """What a vision tower made of one video.

    Attributes:
        tokens: [T, h, w, D].
        deepstack: [T, h, w, D] each, what Qwen3-VL adds to its first layers' output.
        tail: [n, D], tokens after the grid (LLaVA-OneVision's newline).
    """

    tokens: torch.Tensor
    deepstack: tuple[torch.Tensor, ...] = ()
    tail: torch.Tensor | None = None

    @property
    def grid(self) -> Grid:
        frames, height, width = self.tokens.shape[:3]
        return frames, height, width

    def pooled(self, settings: SlowPathSettings) -> VideoGrid:
        """The fast tokens: an ordinary video of fewer frames and lower resolution.

        Windows of frames, then squares of cells are averaged; what fills none at the end is left to the slow
        path, as in the published model. A video shorter than one window keeps one frame.

        Raises:
            SlowPathError: frames with fewer cells a side than the spatial stride.
        """
        return VideoGrid(
            _pool(self.tokens, settings),
            tuple(_pool(level, settings) for level in self.deepstack),
            self.tail,
        )

    def map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> VideoGrid:
        """Every tensor changed in the same way (`.to`, `.detach`)."""
        tail = None if self.tail is None else change(self.tail)
        return VideoGrid(change(self.tokens), tuple(map(change, self.deepstack)), tail)


def pooled_grid(grid: Grid, settings: SlowPathSettings) -> Grid:
    """The fast grid of a slow grid.

    Raises:
        SlowPathError: frames with fewer cells a side than the spatial stride.
    """
    frames, height, width = grid
    if min(height, width) < settings.spatial_stride:
        raise SlowPathError(
            f"frames of {height} x {width} cells cannot be pooled by {settings.spatial_stride}.",
            hint="Attach with a smaller spatial_stride.",
        )
    windows = max(frames // settings.temporal_stride, 1)
    return windows, height // settings.spatial_stride, width // settings.spatial_stride


def _pool(tokens: torch.Tensor, settings: SlowPathSettings) -> torch.Tensor:
    windows, _height, _width = pooled_grid(tuple(tokens.shape[:3]), settings)  # type: ignore[arg-type]
    stride = min(settings.temporal_stride, len(tokens))
    if stride > 1:
        tokens = tokens[: windows * stride].unflatten(0, (windows, stride)).mean(1)
    if settings.spatial_stride > 1:
        pooled = avg_pool2d(tokens.permute(0, 3, 1, 2), settings.spatial_stride)
        tokens = pooled.permute(0, 2, 3, 1)
    return tokens


def slow_places(
    fast_places: torch.Tensor, fast: Grid, slow: Grid, settings: SlowPathSettings
) -> torch.Tensor:
    """Where slow tokens stand among the prompt's positions: float [P, T * h * w], or [T * h * w] for P = 1.

    A slow token stands where the fast token would that is pooled of it alone: on the line between the places
    of neighbouring fast frames (and, under M-RoPE, of neighbouring cells), at the same share of the way as
    its centre lies between their centres; at the ends the line goes on. Where places are one-dimensional,
    cells have no axis of their own and the token takes the cell that it is pooled into. A video of a single
    fast frame has no line in time: all its slow tokens stand at that frame.

    Args:
        fast_places: [P, F] or [F], the positions of the fast grid's tokens, in order.
    """
    flat = fast_places.ndim == 1
    places = fast_places.reshape(1 if flat else len(fast_places), *fast).double()  # [P, T', h', w']
    strides = (settings.temporal_stride, settings.spatial_stride, settings.spatial_stride)
    for axis, (count, stride) in enumerate(zip(slow, strides, strict=True)):
        centres = (torch.arange(count, device=places.device, dtype=places.dtype) + 0.5) / stride - 0.5
        if flat and axis > 0:
            centres = (torch.arange(count, device=places.device) // stride).to(places.dtype)
            centres = centres.clamp(max=fast[axis] - 1)
        places = interpolate(places, centres, dim=axis + 1)
    result = places.flatten(1).float()
    return result[0] if flat else result
