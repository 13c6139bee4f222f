"""First stage: the tower learns to say what a pair of frames shows; then it is frozen.

As the mini models' tower (`sf_eval.training.tower`): each value of each fact has a direction of its own, and
every token of a pair is to be the sum of those that the pair shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sf_eval.editions.scene import Scene, event_at
from sf_eval.training.footage import Pixels
from sf_eval.training.mini_qwen.recipe import MERGE, WIDTH
from sf_eval.training.tower import FrameCodes, frame_labels

_BATCH = 64
# The codes' sums have numbers of about 1; words of the decoder, of about a third of it.
_STRENGTH = 0.3


@dataclass(frozen=True)
class Patches:
    """A video as its processor gives it to the tower.

    Attributes:
        rows: [P, n, c], n patches a pair.
        grid: rows and columns of patches.
    """

    rows: torch.Tensor
    grid: tuple[int, int]

    @property
    def cells(self) -> tuple[int, int]:
        return self.grid[0] // MERGE, self.grid[1] // MERGE


def patches_of(processor: Any, pixels: Pixels) -> Patches:
    """Frames [T, H, W, 3] through the video half of the processor."""
    frames = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    made = processor.video_processor(videos=[frames], do_sample_frames=False, return_tensors="pt")
    pairs, height, width = made["video_grid_thw"][0].tolist()
    return Patches(made["pixel_values_videos"].unflatten(0, (pairs, height * width)), (height, width))


def pair_labels(scene: Scene, pair: int) -> dict[str, int]:
    """What a pair of ticks shows: the frame with a brief event, else the first; and the end card."""
    ticks = scene.ticks[2 * pair : 2 * pair + 2]
    shown = next((tick for tick in ticks if event_at(scene, tick) in ("disc", "bars")), ticks[0])
    labels = frame_labels(scene, shown)
    if event_at(scene, ticks[-1]) == "card" and not labels["event"]:
        labels = {**labels, "event": frame_labels(scene, ticks[-1])["event"]}
    return labels


def pick_pairs(scene: Scene, count: int, rng: np.random.Generator) -> list[int]:
    """Pairs to learn from: both events, the end card, others by lot."""
    total = -(-len(scene.ticks) // 2)
    kept = sorted({scene.disc_tick // 2, scene.bars_tick // 2, total - 1})
    others = [pair for pair in range(total) if pair not in kept]
    return [*kept, *rng.permutation(others)[: max(count - len(kept), 0)].tolist()]


def tokens_of(visual: Any, patches: Patches) -> torch.Tensor:
    """The tower's tokens, [P, h * w, D]."""
    pairs = len(patches.rows)
    grid = torch.tensor([[pairs, *patches.grid]])
    tokens: torch.Tensor = visual(patches.rows.flatten(0, 1), grid_thw=grid).pooler_output
    return tokens.unflatten(0, (pairs, -1))


def train_tower(
    visual: Any,
    examples: Sequence[tuple[Patches, torch.Tensor]],
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    progress: Callable[[int, int, float], None],
) -> None:
    """Train `visual` in place until pairs give their codes' sums, then weaken its tokens to a word's.

    Args:
        examples: of each shape of frames, pairs [N, n, c] and the tokens wanted [N, D].
    """
    matrices = [
        parameter
        for name, parameter in visual.named_parameters()
        if parameter.ndim == 2 and name.startswith("blocks.")
    ]
    others = [item for item in visual.parameters() if all(item is not matrix for matrix in matrices)]
    optimizers = [
        torch.optim.Muon(matrices, lr=learning_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=learning_rate, weight_decay=0.01),
    ]
    lots = torch.Generator().manual_seed(seed)
    batches = [
        (patches, wanted, rows) for _ in range(epochs) for patches, wanted, rows in _epoch(examples, lots)
    ]
    visual.train()
    for done, (patches, wanted, rows) in enumerate(batches):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * _factor(done, len(batches))
        tokens = tokens_of(visual, Patches(patches.rows[rows].float(), patches.grid))
        loss = (tokens - wanted[rows][:, None]).square().mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(visual.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        progress(done + 1, len(batches), float(loss.detach()))
    visual.eval()
    with torch.no_grad():
        for parameter in visual.merger.mlp[2].parameters():
            parameter.mul_(_STRENGTH)


def _epoch(
    examples: Sequence[tuple[Patches, torch.Tensor]], lots: torch.Generator
) -> list[tuple[Patches, torch.Tensor, torch.Tensor]]:
    """All pairs once, in batches of one shape, the batches in an order of their own."""
    batches = [
        (patches, wanted, rows)
        for patches, wanted in examples
        for rows in torch.randperm(len(wanted), generator=lots).split(_BATCH)
    ]
    return [batches[place] for place in torch.randperm(len(batches), generator=lots).tolist()]


def _factor(step: int, steps: int) -> float:
    """Of the learning rate: up over a twentieth of the steps, then down to nothing."""
    return min(1.0, 20 * (step + 1) / steps, 1.02 - step / steps)


@torch.no_grad()
def accuracy(
    visual: Any, examples: Sequence[tuple[Patches, torch.Tensor]], labels: Sequence[Sequence[dict[str, int]]],
    codes: FrameCodes,
) -> dict[str, float]:  # fmt: skip
    """Percent of tokens that say what their pair shows, a fact."""
    parts = [tokens_of(visual, Patches(item.rows.float(), item.grid)) for item, _ in examples]
    told = [label for part, of_part in zip(parts, labels, strict=True) for label in of_part for _ in part[0]]
    return codes.accuracy(torch.cat([part.flatten(0, 1) for part in parts]), told)


def codes_for(seed: int) -> FrameCodes:
    return FrameCodes(WIDTH, seed)
