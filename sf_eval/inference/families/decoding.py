"""Greedy answers of a transformers model, row by row of a batch, with positions that are always given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from sf_eval.inference.families.caches import Rows

Step = Callable[[torch.Tensor, torch.Tensor, Rows], torch.Tensor]
"""(ids [B, 1], places [B, 1], rows with room for them in the mask) -> logits [B, V]; extends the cache."""


@dataclass
class Answer:
    """One answer while it grows.

    Attributes:
        place: position of the next token.
        limit: most new tokens.
        finite: whether the logits of all its steps were finite; it ends where they are not.
    """

    place: int
    limit: int
    ids: list[int] = field(default_factory=list)
    stopped: bool = False
    finite: bool = True

    @property
    def done(self) -> bool:
        return self.stopped or not self.finite or len(self.ids) >= self.limit

    def take(self, token: int, finite: bool, stop_ids: frozenset[int]) -> None:
        if self.done:
            return
        self.finite = finite
        self.stopped = finite and token in stop_ids
        if finite and not self.stopped:
            self.ids.append(token)


def decode(
    answers: Sequence[Answer],
    rows: Rows,
    logits: torch.Tensor,
    *,
    step: Step,
    stop_ids: frozenset[int],
    first: Callable[[], None],
) -> None:
    """Let the answers grow until all are done.

    Args:
        logits: [B, V] of each row's first new token.
        first: called once the first tokens are known.
    """
    places = torch.tensor([[answer.place] for answer in answers], device=logits.device)
    told = False
    while True:
        chosen = logits.float().argmax(dim=-1)  # [B]
        # A row's maximum is NaN if any of its logits is. One copy to the CPU per step: the only wait.
        finite = torch.isfinite(logits.amax(dim=-1))
        seen = torch.stack([chosen, finite.long()]).tolist()
        for answer, token, is_finite in zip(answers, *seen, strict=True):
            answer.take(token, bool(is_finite), stop_ids)
        if not told:
            first()
            told = True
        if all(answer.done for answer in answers):
            return
        rows = Rows(rows.cache, torch.cat([rows.mask, rows.mask.new_ones(len(answers), 1)], dim=1))
        logits = step(chosen[:, None], places, rows)
        places = places + 1
