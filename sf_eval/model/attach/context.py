"""The slow side of a call: which tokens there are, who queries them, and their keys and values.

Shapes: B batch, L positions of a pass, N slow tokens, D hidden size, K key/value heads, d head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from sf_eval.model.errors import SlowPathError
from sf_eval.model.slow_state import Span

SlowPair = tuple[torch.Tensor, torch.Tensor]
Spans = tuple[Span, ...]


@dataclass(frozen=True)
class SlowVideo:
    """Slow tokens of one row.

    Attributes:
        tokens: [N, D], as the vision tower and its projector gave them.
        rotation: cosine and sine [1, N, d] of the tokens' places (`rotation_of`), or None: keys as published,
            without rotation.
    """

    tokens: torch.Tensor
    rotation: SlowPair | None = None


class SlowContext:
    """What `slow=` of an attached model's `forward` and `generate` takes: one video (or None) a row.

    One context serves a prompt, what follows it and, with `keep`, any number of passes in any thread: each
    pass reads it, none changes it, but for the keys and values that the first pass leaves here. A plain class
    on purpose: FSDP copies dataclasses that travel through a module's arguments.

    Args:
        videos: one a row. A pass may have a multiple of so many rows (beams, questions): then as many rows
            one after another share a video.
        queries: of each row, the half-open ranges of the prompt that query slow tokens; None for a row all of
            whose positions do.
        prompt_length: positions that `queries` speaks of; every position after them queries.
        keep: keep slow keys and values for later passes. Passes that train or follow gradients never do.
    """

    def __init__(
        self,
        videos: Sequence[SlowVideo | None],
        queries: Sequence[Spans | None] | None = None,
        prompt_length: int = 0,
        *,
        keep: bool = True,
    ) -> None:
        if queries is not None and len(queries) != len(videos):
            raise SlowPathError(f"{len(queries)} rows of queries were given for {len(videos)} videos.")
        self.videos = tuple(videos)
        self.queries = tuple(queries) if queries is not None else (None,) * len(self.videos)
        self.prompt_length = prompt_length
        self.keep = keep
        self.pairs: dict[int, list[SlowPair | None]] = {}

    def pick(self, rows: Sequence[int]) -> SlowContext:
        """A context of these rows alone, which shares their tokens, keys and values."""
        picked = SlowContext(
            [self.videos[row] for row in rows],
            [self.queries[row] for row in rows],
            self.prompt_length,
            keep=self.keep,
        )
        picked.pairs = {layer: [kept[row] for row in rows] for layer, kept in self.pairs.items()}
        return picked

    def spans(self, row: int, offset: int, length: int) -> Spans:
        """The positions of a pass that query, counted from its first; the pass begins at `offset`."""
        asked = self.queries[row]
        if asked is None or offset >= self.prompt_length:
            return ((0, length),)
        wanted = (*asked, (self.prompt_length, offset + length))
        cut = ((max(start - offset, 0), min(stop - offset, length)) for start, stop in wanted)
        return joined(tuple((start, stop) for start, stop in cut if start < stop))


class SlowCall:
    """One pass of a model over a context; handed from layer to layer as the argument `slow`.

    Attributes:
        read: layers that have read slow tokens in this pass.
    """

    def __init__(self, context: SlowContext, offset: int) -> None:
        self.context = context
        self.offset = offset
        self.read: set[int] = set()


def joined(spans: Spans) -> Spans:
    """The same ascending spans, those that touch being one."""
    whole: list[Span] = []
    for start, stop in spans:
        if whole and whole[-1][1] == start:
            whole[-1] = (whole[-1][0], stop)
        else:
            whole.append((start, stop))
    return tuple(whole)


def spans_where(asks: torch.Tensor) -> Spans:
    """The ranges in which a mask [L] is true."""
    flags = [False, *asks.bool().tolist(), False]
    edges = [place for place in range(len(flags) - 1) if flags[place] != flags[place + 1]]
    return tuple(zip(edges[::2], edges[1::2], strict=True))
