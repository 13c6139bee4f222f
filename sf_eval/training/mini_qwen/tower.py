"""First stage: the tower learns to say of a pair of frames what another model's tower says of both.

That is the mean of the two frames' tokens, as the decoder that the model begins with was given them. No token
of a pair is to say less than another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from sf_eval.core.cards import load_card
from sf_eval.editions.scene import Scene
from sf_eval.model.loading import load_model
from sf_eval.model.preprocess import centre_square
from sf_eval.training.footage import Pixels, see
from sf_eval.training.mini_qwen.recipe import BEGUN_FROM, MERGE, PAIR

_BATCH = 64
_FAINTEST = 0.01  # of the mean variance: directions below it are not strengthened further


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


Examples = Sequence[tuple[Patches, torch.Tensor]]
"""Of each shape of frames, pairs and the tokens wanted of them, [N, D]."""


def patches_of(processor: Any, pixels: Pixels) -> Patches:
    """Frames [T, H, W, 3] through the video half of the processor."""
    frames = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    made = processor.video_processor(videos=[frames], do_sample_frames=False, return_tensors="pt")
    pairs, height, width = made["video_grid_thw"][0].tolist()
    return Patches(made["pixel_values_videos"].unflatten(0, (pairs, height * width)), (height, width))


class Elder:
    """The model whose tower is learned from."""

    def __init__(self) -> None:
        loaded = load_model(load_card(BEGUN_FROM), dtype=torch.float32)
        self._model, self._size = loaded.model.model, loaded.processor.image_size

    @torch.no_grad()
    def tokens(self, pixels: Pixels) -> torch.Tensor:
        """The mean token of each pair of frames [T, H, W, 3]: [P, D]; a frame that is left over, alone."""
        squares = np.stack([centre_square(frame, self._size) for frame in pixels])
        tokens = self._model.project(see(self._model.vision_tower, squares).float()).flatten(1)  # [T, D]
        missing = -len(tokens) % PAIR
        whole = torch.cat([tokens, tokens[-1:].expand(missing, -1)])  # as the processor repeats a frame
        means: torch.Tensor = whole.unflatten(0, (-1, PAIR)).mean(1)
        return means


def pick_pairs(scene: Scene, count: int, rng: np.random.Generator) -> list[int]:
    """Pairs to learn from: both events, the end card, others by lot."""
    total = -(-len(scene.ticks) // PAIR)
    kept = sorted({scene.disc_tick // PAIR, scene.bars_tick // PAIR, total - 1})
    others = [pair for pair in range(total) if pair not in kept]
    return [*kept, *rng.permutation(others)[: max(count - len(kept), 0)].tolist()]


def tokens_of(visual: Any, patches: Patches) -> torch.Tensor:
    """The tower's tokens, [P, h * w, D]."""
    pairs = len(patches.rows)
    grid = torch.tensor([[pairs, *patches.grid]])
    tokens: torch.Tensor = visual(patches.rows.flatten(0, 1), grid_thw=grid).pooler_output
    by_pair: torch.Tensor = tokens.unflatten(0, (pairs, -1))
    return by_pair


def train_tower(
    visual: Any,
    examples: Examples,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    progress: Callable[[int, int, float], None],
) -> None:
    """Train `visual` in place until every token of a pair is the one wanted of it.

    Errors count in units of the wanted tokens' own spread, direction by direction, so that what makes little
    of a token is learned as surely as the rest.
    """
    spread = _spread(torch.cat([wanted for _, wanted in examples]))
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
    batches = [batch for _ in range(epochs) for batch in _epoch(examples, lots)]
    visual.train()
    for done, (number, rows) in enumerate(batches):
        patches, wanted = examples[number][0], examples[number][1][rows]
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * _factor(done, len(batches))
        missing = tokens_of(visual, Patches(patches.rows[rows].float(), patches.grid)) - wanted[:, None]
        loss = (missing @ spread).square().mean()
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(visual.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
        progress(done + 1, len(batches), float(loss.detach()))
    visual.eval()


@torch.no_grad()
def unexplained(visual: Any, examples: Examples) -> float:
    """Share of the wanted tokens' variance that is missed, 0 to 1 and above; every direction alike."""
    spread = _spread(torch.cat([wanted for _, wanted in examples]))
    wanted = torch.cat([of_shape for _, of_shape in examples]) @ spread
    told = torch.cat(
        [tokens_of(visual, Patches(item.rows.float(), item.grid)).mean(1) for item, _ in examples]
    )
    missing = (told @ spread - wanted).square().mean()
    return float(missing / (wanted - wanted.mean(0)).square().mean())


def _spread(tokens: torch.Tensor) -> torch.Tensor:
    """[D, D] that makes the variance of tokens [N, D] about 1 in every direction that has any."""
    variance, directions = torch.linalg.eigh(torch.cov(tokens.T))
    floor = _FAINTEST * variance.mean()
    spread: torch.Tensor = directions * (variance.clamp(min=0) + floor).rsqrt()
    return spread


def _epoch(examples: Examples, lots: torch.Generator) -> list[tuple[int, torch.Tensor]]:
    """All pairs once, in batches of one shape (its number, and which pairs), in an order by lot."""
    batches = [
        (number, rows)
        for number, (_, wanted) in enumerate(examples)
        for rows in torch.randperm(len(wanted), generator=lots).split(_BATCH)
    ]
    return [batches[place] for place in torch.randperm(len(batches), generator=lots).tolist()]


def _factor(step: int, steps: int) -> float:
    """Of the learning rate: up over a twentieth of the steps, then down to nothing."""
    return min(1.0, 20 * (step + 1) / steps, 1.02 - step / steps)
