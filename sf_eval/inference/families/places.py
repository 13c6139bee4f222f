"""Positions of a prompt's tokens.

Shapes: L tokens; under M-RoPE three axes: time, height, width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch

PlacesRule = Literal["trained", "transformers"]
"""Where text after a video stands. "trained": after the highest place of any axis, as when the released
weights were trained (transformers 4); "transformers": after the larger of height and width alone, as
transformers 5 has it, while what is generated follows the highest place of the whole prompt."""


@dataclass(frozen=True)
class Run:
    """Neighbouring tokens of a video in a prompt, from `start`.

    Attributes:
        grid: frames, rows and columns of its tokens.
        tail: tokens after the grid.
    """

    start: int
    grid: tuple[int, int, int]
    tail: int = 0

    @property
    def stop(self) -> int:
        frames, height, width = self.grid
        return self.start + frames * height * width + self.tail


@dataclass(frozen=True)
class Places:
    """Attributes:
    ids: [L], or [3, L] under M-RoPE.
    text: where text that follows stands.
    generated: where generated tokens that follow stand, if no text comes between.
    """

    ids: torch.Tensor
    text: int
    generated: int

    def after(self, count: int) -> tuple[int, int]:
        """The first place of `count` tokens of text that follow, and of what is generated after them."""
        return self.text, max(self.text + count, self.generated)


def counted(length: int) -> Places:
    """One axis: tokens are counted."""
    return Places(torch.arange(length), length, length)


def multimodal(length: int, runs: Sequence[Run], *, interval: float, rule: PlacesRule) -> Places:
    """M-RoPE of one prompt.

    Text counts on all axes alike. A video's tokens stand at their frame's time, row and column, counted from
    the place where it begins (arXiv 2409.12191, section 2.1; absolute time: arXiv 2502.13923, section 2.1.2).

    Args:
        interval: places from one frame of the tower's output to the next.
    """
    parts: list[torch.Tensor] = []
    at = place = highest = 0
    for run in runs:
        parts.append(_text(run.start - at, place))
        place += run.start - at
        frames, height, width = run.grid
        time = (torch.arange(frames) * interval).long()
        grid = torch.meshgrid(time, torch.arange(height), torch.arange(width), indexing="ij")
        parts.append(torch.stack(grid).flatten(1) + place)
        highest = max(highest, int(parts[-1].max()) + 1)
        place = highest if rule == "trained" else place + max(height, width)
        at = run.stop
    parts.append(_text(length - at, place))
    place += length - at
    return Places(torch.cat(parts, dim=1), place, max(place, highest))


def _text(count: int, first: int) -> torch.Tensor:
    return (torch.arange(count) + first).expand(3, -1)
