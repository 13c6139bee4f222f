"""The toy's videos: tokens drawn by rule, in which one moment cancels exactly when frames are averaged.

A video is 16 frames of 2 x 2 tokens: 64 slow tokens, pooled 4 frames and 2 x 2 cells to 4 fast tokens. All
tokens carry one of 8 backgrounds. The needle is a mark with one of 8 codes at one token and its negative at
another of the same pooling window: no fast token shows anything of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

Kind = Literal["needle", "global", "when"]
KINDS: tuple[Kind, ...] = get_args(Kind)
FRAMES, CELLS, WIDTH, CLASSES = 16, 4, 64, 8
WINDOW = 4  # frames that are pooled together
# Vocabulary: the prompt's begin, a question of each kind, its end, then the answers.
BEGIN, ASK = 0, {"needle": 1, "global": 2, "when": 3}
END = 4
_FIRST_ANSWER = {"needle": 5, "global": 5 + CLASSES, "when": 5 + 2 * CLASSES}
VOCABULARY = 5 + 2 * CLASSES + 2
CHANCE = {"needle": 1 / CLASSES, "global": 1 / CLASSES, "when": 1 / 2}
_NOISE = 0.05


@dataclass(frozen=True)
class Videos:
    """A batch of B videos with the truth.

    Attributes:
        tokens: [B, T, h, w, D].
        answers: [B, Q], the token that answers each kind of question.
    """

    tokens: torch.Tensor
    answers: torch.Tensor


def draw(count: int, seed: str, *, watched_closely: bool = False) -> Videos:
    """Videos by a seed.

    Args:
        watched_closely: one token a frame instead of 2 x 2: what the plain model learns from, unpooled.
    """
    rng = torch.Generator().manual_seed(_number(seed))
    cells = 1 if watched_closely else CELLS
    background = _draw(rng, CLASSES, count)
    needle = _draw(rng, CLASSES, count)
    window = _draw(rng, FRAMES // WINDOW, count)
    places = torch.stack([torch.randperm(WINDOW * cells, generator=rng)[:2] for _ in range(count)])
    tokens = _CODES[background][:, None].repeat(1, FRAMES * cells, 1)
    mark = 2 * (_CODES[CLASSES + needle] + _CODES[2 * CLASSES])
    row = torch.arange(count)
    for sign, place in ((1, places[:, 0]), (-1, places[:, 1])):
        tokens[row, window * WINDOW * cells + place] += sign * mark
    noise = torch.randn(tokens.shape, generator=rng) * _NOISE
    late = (window >= FRAMES // WINDOW // 2).long()
    answers = torch.stack(
        [
            _FIRST_ANSWER["needle"] + needle,
            _FIRST_ANSWER["global"] + background,
            _FIRST_ANSWER["when"] + late,
        ],
        dim=1,
    )
    side = 1 if watched_closely else 2
    return Videos((tokens + noise).unflatten(1, (FRAMES, side, side)), answers)


def _draw(rng: torch.Generator, among: int, count: int) -> torch.Tensor:
    return torch.randint(among, (count,), generator=rng)


def _number(seed: str) -> int:
    import hashlib

    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7], "big")


def _codes() -> torch.Tensor:
    """Orthogonal directions: 8 backgrounds, 8 needles, the mark that every needle has."""
    drawn = torch.randn(WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    orthogonal: torch.Tensor = torch.linalg.qr(drawn).Q
    return 3 * orthogonal


_CODES = _codes()
