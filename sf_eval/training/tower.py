"""First stage: the tower learns to say what a single frame shows, then it is frozen.

Each value of each fact has a code: a direction of its own in the space of tokens. A frame's pooled token
is to be the sum of the codes of what the frame shows, so that no fact is fainter than another. (A
tower trained through free linear heads read all facts as surely, but gave most of its token to some of them,
and the decoder came to the others late or never.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import nn

from sf_eval.editions.scene import BRIGHT, DARK, DIRECTIONS, Scene, event_at
from sf_eval.model.preprocess import normalise
from sf_eval.model.tokens import pool_frames
from sf_eval.model.vision import VisionTower
from sf_eval.training.footage import Pixels

_EVENTS = ("", "disc", "bars", "card")
_MOST_BARS = 4
_FACTS = {
    "event": len(_EVENTS), "disc": len(BRIGHT) + 1, "bars": _MOST_BARS + 1, "background": len(DARK) + 1,
    "mover": len(BRIGHT) + 1, "direction": len(DIRECTIONS) + 1,
}  # fmt: skip
_CODE_NORM = 4.0  # six facts make a token of 64 numbers of about 1 each


class FrameCodes:
    """What a frame's token is to be, and what a token says; only used while the tower trains.

    Args:
        width: of a token; at least as many as there are values of all facts.
        seed: of the directions, which are orthogonal.
    """

    def __init__(self, width: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        codes = nn.init.orthogonal_(torch.empty(sum(_FACTS.values()), width), generator=generator)
        self._codes = dict(zip(_FACTS, (_CODE_NORM * codes).split(list(_FACTS.values())), strict=True))

    def tokens(self, labels: Sequence[dict[str, int]]) -> torch.Tensor:
        """What frames that show `labels` are to be: [N, C]."""
        facts = [codes[[item[name] for item in labels]] for name, codes in self._codes.items()]  # [N, C] each
        return torch.stack(facts).sum(0)

    def accuracy(self, tokens: torch.Tensor, labels: Sequence[dict[str, int]]) -> dict[str, float]:
        """Percent of tokens [N, C] that say what the frame shows, a fact: the code nearest to it is right."""
        return {
            name: round(100 * float(((tokens @ codes.T).argmax(-1) == truth).float().mean()), 1)
            for name, codes in self._codes.items()
            for truth in [torch.tensor([item[name] for item in labels])]
        }


def frame_labels(scene: Scene, frame: int) -> dict[str, int]:
    """What a frame shows: the number of a value, a fact; 0 for nothing of the kind."""
    event = event_at(scene, frame)
    if event == "card":
        return {**dict.fromkeys(_FACTS, 0), "event": _EVENTS.index(event)}
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
    wanted: torch.Tensor,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    batch: int = 64,
    progress: Callable[[int, int, float], None] | None = None,
) -> None:
    """Train `tower` in place until frames [N, S, S, 3] give the pooled tokens `wanted` [N, C]."""
    device = next(tower.parameters()).device
    optimizer = torch.optim.AdamW(tower.parameters(), lr=learning_rate, weight_decay=0.01)
    steps = epochs * (len(pixels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=steps, pct_start=0.1)
    order = torch.Generator().manual_seed(seed)
    done = 0
    tower.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(pixels), generator=order)[: steps // epochs * batch].split(batch):
            missing = frame_tokens(tower, pixels[rows.numpy()]) - wanted[rows].to(device)
            loss = missing.square().sum(-1).mean() / _CODE_NORM**2
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(tower.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if progress is not None:
                progress(done, steps, loss.item())
    tower.eval()


def frame_tokens(tower: VisionTower, pixels: Pixels) -> torch.Tensor:
    """The pooled tokens of frames [n, S, S, 3]: [n, C]."""
    frames = normalise(torch.from_numpy(pixels).to(next(tower.parameters()).device))
    return pool_frames(tower(frames.contiguous(memory_format=torch.channels_last)), 2).flatten(1)
