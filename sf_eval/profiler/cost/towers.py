"""What other families' vision towers cost, in closed form. Plain integers, no torch.

MACs, counted as in `closed_form`: matrix products, convolutions, attention, poolings. Bytes: what a tower of
transformers holds at its widest moment. A unit is what a tower treats apart: a frame, or the frames that
share tokens. A grid is its tokens, height and width, as they enter the language model (or are pooled for it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sf_eval.profiler.cost.decoder_memory import FLOAT

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

    def peak_bytes(self, grid: Cells, units: int, width: int) -> int:
        """The most that is held while `units` are encoded at once, beside their pixels.

        Args:
            width: bytes of a value.
        """

    def processing_copies(self) -> int:
        """How many times the pixels are held in float32 at once while the family's processor works."""


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
        heads: of its attention.
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
    heads: int = 16

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

    def peak_bytes(self, grid: Cells, units: int, width: int) -> int:
        tokens, c = units * grid[0] * grid[1], self.width
        patches = tokens * self.merge**2
        # Throughout: a block's input; cosines and sines in float32; what was made for the decoder's layers.
        always = c * width + 2 * (c // self.heads) * FLOAT
        made = (self.mergers - 1) * tokens * self.out * width
        # In attention, beside the normed input: the joint projection, of which the values are left, and both
        # rotated, a window's outputs and all outputs in a row.
        attention = 8 * c * width
        # A key is rotated in float32, the query was: both as they came (a copy in half precision), the
        # query's result, the key times the cosines, its turned half, that times the sines.
        rotation = 4 * c * width + (6 if width < FLOAT else 4) * c * FLOAT
        # In the MLP: the residual, its normed copy, and gate, up and their product; or before and after GELU.
        mlp = (2 * c + (3 if self.gated else 2) * self.mlp) * width
        widest = max(attention, rotation, mlp)
        if self.gated:  # RMSNorm in float32; the other one has LayerNorm
            widest = max(widest, c * width + 2 * c * FLOAT)
        else:
            # The table of places is interpolated in float32 from four neighbours, and kept.
            always += c * FLOAT
            widest = max(widest, 4 * c * (width + FLOAT) - c * FLOAT)
        return patches * (always + widest) + made

    def processing_copies(self) -> int:
        """The normalised frames, the patches made of them, and those of all videos in a row."""
        return 3


@dataclass(frozen=True)
class PatchTower:
    """A ViT on squares of one size: SigLIP, CLIP, InternViT.

    Attributes:
        side: patches a side.
        class_token: 1 where there is one, else 0.
        out: width of the language model.
        joint: "resampled" after the projector, bilinearly to half a side (LLaVA-OneVision); "averaged" 2 x 2
            before it (LLaVA-NeXT-Video; `stride` x `stride`); "shuffled" 2 x 2 into one before it (InternVL).
        activation_copies: of the MLP's width, held at once: 3 for quick GELU, x * sigmoid(1.702 x), else 2.
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
    activation_copies: int = 2

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

    def peak_bytes(self, grid: Cells, units: int, width: int) -> int:
        c, tokens = self.width, units * (self.side**2 + self.class_token)
        # Throughout: the embeddings and a block's input; in InternVL's also the scaled output of attention.
        always = (3 if self.joint == "shuffled" else 2) * c
        mlp = 2 * c + self.activation_copies * self.mlp  # the residual and its normed copy
        attention = 6 * c  # the normed input, queries, keys, values, the output and its copy in a row
        tower = tokens * (always + max(mlp, attention))
        return max(tower, self._projecting(grid, units)) * width

    def _projecting(self, grid: Cells, units: int) -> int:
        """Values after the blocks: their output, normed or not, and what it becomes for the decoder."""
        patches, made = units * self.side**2, units * grid[0] * grid[1]
        if self.joint == "resampled":
            # Each patch projected, laid out by channel, and resampled.
            return patches * (2 * self.width + 2 * self.out) + made * self.out
        if self.joint == "shuffled":
            return patches * 4 * self.width + made * 2 * self.out
        return patches * 2 * self.width + made * (self.width + 2 * self.out)

    def processing_copies(self) -> int:
        """The normalised frames, and those of all videos together."""
        return 2


def _squares(length: int, window: int) -> int:
    """The sum of squares of the parts that windows divide a side into."""
    whole, rest = divmod(length, window)
    return whole * window**2 + rest**2
