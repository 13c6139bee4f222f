"""First stage: the tower learns to say what a single frame shows, then it is frozen.

Linear heads on a frame's pooled token, dropped afterwards, name what the frame shows. What a linear head can
read, the decoder's attention can read too; what it cannot, no later stage mends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from sf_eval.benchmarks.mini.scene import BRIGHT, DARK, DIRECTIONS, Scene, event_at
from sf_eval.mini.footage import Pixels
from sf_eval.model.preprocess import normalise
from sf_eval.model.tokens import pool_frames
from sf_eval.model.vision import VisionTower

_EVENTS = ("", "disc", "bars", "card")
_MOST_BARS = 4
_HEADS = {
    "event": len(_EVENTS), "disc": len(BRIGHT) + 1, "bars": _MOST_BARS + 1, "background": len(DARK) + 1,
    "mover": len(BRIGHT) + 1, "direction": len(DIRECTIONS) + 1,
}  # fmt: skip


class FrameHeads(nn.Module):
    """One linear layer a fact, on the pooled token of a frame [.., C]; only used while the tower trains."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in _HEADS.items()})

    def loss(self, tokens: torch.Tensor, labels: dict[str, torch.Tensor]) -> torch.Tensor:
        """tokens [N, C], labels [N] each."""
        return torch.stack(
            [cross_entropy(head(tokens), labels[name]) for name, head in self.heads.items()]
        ).sum()

    @torch.no_grad()
    def accuracy(
        self, tower: VisionTower, pixels: Pixels, labels: Sequence[dict[str, int]]
    ) -> dict[str, float]:
        """Percent right a head on frames [N, S, S, 3]."""
        tokens = torch.cat([_tokens(tower, pixels, rows) for rows in torch.arange(len(pixels)).split(256)])
        truth = _stacked(labels, tokens.device)
        return {
            name: round(100 * float((head(tokens).argmax(-1) == truth[name]).float().mean()), 1)
            for name, head in self.heads.items()
        }


def frame_labels(scene: Scene, frame: int) -> dict[str, int]:
    """What a frame shows: a class number a head; 0 for nothing of the kind."""
    event = event_at(scene, frame)
    if event == "card":
        return {**dict.fromkeys(_HEADS, 0), "event": _EVENTS.index(event)}
    return {
        "event": _EVENTS.index(event),
        "disc": 1 + list(BRIGHT).index(scene.disc) if event == "disc" else 0,
        "bars": scene.bars if event == "bars" else 0,
        "background": 1 + list(DARK).index(scene.background_at(frame)),
        "mover": 1 + list(BRIGHT).index(scene.mover),
        "direction": 1 + list(DIRECTIONS).index(scene.direction),
    }


def pick_frames(scene: Scene, count: int, rng: np.random.Generator) -> list[int]:
    """Tick numbers to learn from: all events, the end card sometimes, others by lot."""
    events = [scene.disc_tick, scene.bars_tick]
    plain = [tick for tick in range(len(scene.ticks) - 1) if tick not in events]
    card = [len(scene.ticks) - 1] * int(rng.random() < 0.5)
    return [*events, *card, *rng.permutation(plain)[: max(count - len(events) - len(card), 0)].tolist()]


def train_tower(
    tower: VisionTower,
    pixels: Pixels,
    labels: Sequence[dict[str, int]],
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    batch: int = 64,
    progress: Callable[[int, int, float], None] | None = None,
) -> FrameHeads:
    """Train `tower` in place on frames [N, S, S, 3]; returns the heads, for a look at what it reads."""
    device = next(tower.parameters()).device
    torch.manual_seed(seed)
    heads = FrameHeads(tower.vision_tower.num_features).to(device)
    stacked = _stacked(labels, device)
    parameters = [*tower.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.01)
    steps = epochs * (len(pixels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    order = torch.Generator().manual_seed(seed)
    done = 0
    tower.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(pixels), generator=order)[: steps // epochs * batch].split(batch):
            loss = heads.loss(
                _tokens(tower, pixels, rows), {name: value[rows] for name, value in stacked.items()}
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, steps, loss.item())
    tower.eval()
    return heads


def _stacked(labels: Sequence[dict[str, int]], device: torch.device) -> dict[str, torch.Tensor]:
    """Each fact of all frames: [N]."""
    return {name: torch.tensor([item[name] for item in labels], device=device) for name in _HEADS}


def _tokens(tower: VisionTower, pixels: Pixels, rows: torch.Tensor) -> torch.Tensor:
    """The pooled token of some frames: [n, C]."""
    device = next(tower.parameters()).device
    frames = normalise(torch.from_numpy(pixels[rows.numpy()]).to(device))
    return pool_frames(tower(frames.contiguous(memory_format=torch.channels_last)), 2).flatten(1)
