"""What other families' vision towers cost, in closed form. Plain integers, no torch.

MACs, counted as in `closed_form`: matrix products, convolutions, attention, poolings. A unit is what a tower
treats apart: a frame, or the frames that share tokens. A grid is its tokens, height and width, as they enter
the language model (or are pooled for it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

Cells = tuple[int, int]


@dataclass(frozen=True)
class TowerCost:
    """MACs of one unit."""

    tower: int
    projector: int
    pooling: int = 0

    @property
    def total(self) -> int:
        return self.tower + self.projector + self.pooling


class Tower(Protocol):
    """A tower with what leads from it to the language model."""

    def unit(self, grid: Cells) -> TowerCost | None:
        """What a unit of so many tokens costs; None where the tower does not make such units."""


@dataclass(frozen=True)
class QwenTower:
    """Qwen2.5-VL's and Qwen3-VL's: any size, `merge` x `merge` patches to a token.

    Attributes:
        frames: that share their patches.
        gated: whether the MLP is gated (three products) or not (two).
        out: width of the language model.
        full_layers: with attention among all patches of a unit; the others look into windows.
        window: side of a window in tokens; 0 where no layer has any.
        mergers: one for the output, one for each depth that is added to the language model's layers.
    """

    width: int
    mlp: int
    layers: int
    patch: int
    frames: int
    merge: int
    out: int
    gated: bool
    full_layers: int
    window: int = 0
    mergers: int = 1

    def unit(self, grid: Cells) -> TowerCost:
        height, width = grid
        cell = self.merge**2
        patches = height * width * cell
        embedding = patches * 3 * self.frames * self.patch**2 * self.width
        mlp = (3 if self.gated else 2) * self.width * self.mlp
        linear = self.layers * patches * (4 * self.width**2 + mlp)
        # A window's patches see each other: the squares of all windows' sizes, those at the edges smaller.
        pairs = self.full_layers * patches**2
        if self.window:
            windows = _squares(height, self.window) * _squares(width, self.window) * cell**2
            pairs += (self.layers - self.full_layers) * windows
        merged = cell * self.width
        merger = height * width * (merged**2 + merged * self.out)
        return TowerCost(embedding + linear + 2 * self.width * pairs, self.mergers * merger)


@dataclass(frozen=True)
class PatchTower:
    """A ViT on squares of one size: SigLIP, CLIP, InternViT.

    Attributes:
        side: patches a side.
        class_token: 1 where there is one, else 0.
        out: width of the language model.
        joint: "resampled" after the projector, bilinearly to half a side (LLaVA-OneVision); "averaged" 2 x 2
            before it (LLaVA-NeXT-Video; `stride` x `stride`); "shuffled" 2 x 2 into one before it (InternVL).
    """

    width: int
    mlp: int
    layers: int
    patch: int
    side: int
    class_token: int
    out: int
    joint: str
    stride: int = 2

    def unit(self, grid: Cells) -> TowerCost | None:
        cells = -(-self.side // self.stride) if self.joint == "resampled" else self.side // self.stride
        if grid != (cells, cells):
            return None
        patches = self.side**2
        tokens = patches + self.class_token
        embedding = patches * 3 * self.patch**2 * self.width
        attention = tokens * 4 * self.width**2 + 2 * tokens**2 * self.width
        tower = embedding + self.layers * (attention + tokens * 2 * self.width * self.mlp)
        if self.joint == "shuffled":
            shuffled = self.stride**2 * self.width
            return TowerCost(tower, cells**2 * (shuffled * self.out + self.out**2))
        projected = self.width * self.out + self.out**2
        if self.joint == "averaged":
            return TowerCost(tower, cells**2 * projected, cells**2 * self.stride**2 * self.width)
        return TowerCost(tower, patches * projected, cells**2 * 4 * self.out)  # bilinear: four values each


def _squares(length: int, window: int) -> int:
    """The sum of squares of the parts that windows divide a side into."""
    whole, rest = divmod(length, window)
    return whole * window**2 + rest**2
