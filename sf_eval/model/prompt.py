"""Where each token of a prompt ends up once the video's placeholder has become fast tokens.

Pure bookkeeping on the CPU with Python integers: one look at the ids a prompt, none while decoding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch

from sf_eval.model.errors import PromptError, PromptTooLongError
from sf_eval.model.slow_state import Span

VIDEO_TOKEN_ID = -200
"""Placeholder for the video in `input_ids`, as published."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class RowLayout:
    """One prompt of a batch, without its padding.

    Attributes:
        columns: which columns of `input_ids` hold its text tokens, in order, the placeholder left out.
        start: where in the row's expanded sequence the fast tokens begin; None without a video.
        fast_length: how many there are.
    """

    columns: tuple[int, ...]
    start: int | None
    fast_length: int

    @property
    def length(self) -> int:
        """Tokens in the language model."""
        return len(self.columns) + self.fast_length

    def query_spans(self, offset: int, *, all_tokens: bool, masks_system: bool) -> tuple[Span, ...]:
        """Positions that query slow tokens, `offset` being the padding before the row's first token.

        Text tokens do: all that is neither a fast token nor padding, the system prompt included unless
        `masks_system`. With `all_tokens` the fast tokens do too. Without a video nothing does.
        """
        if self.start is None:
            return ()
        if all_tokens:
            return ((offset, offset + self.length),)
        before = (offset, offset + self.start)
        after = (offset + self.start + self.fast_length, offset + self.length)
        spans = (after,) if masks_system else (before, after)
        return tuple(span for span in spans if span[0] < span[1])


@dataclass(frozen=True)
class PromptLayout:
    """A batch of prompts, padded to the longest on one side."""

    rows: tuple[RowLayout, ...]
    side: Literal["left", "right"]

    @property
    def length(self) -> int:
        return max(row.length for row in self.rows)

    @property
    def is_ragged(self) -> bool:
        return len({row.length for row in self.rows}) > 1

    def offset(self, row: RowLayout) -> int:
        """Padding before the row's first token."""
        return self.length - row.length if self.side == "left" else 0

    def mask(self) -> torch.Tensor:
        """[B, length], 1 on real tokens."""
        mask = torch.zeros(len(self.rows), self.length, dtype=torch.long)
        for index, row in enumerate(self.rows):
            mask[index, self.offset(row) : self.offset(row) + row.length] = 1
        return mask

    def source_columns(self) -> torch.Tensor:
        """[B, length]: the column of `input_ids` each position comes from; -1 for fast tokens and padding."""
        source = torch.full((len(self.rows), self.length), -1, dtype=torch.long)
        for index, row in enumerate(self.rows):
            at = self.offset(row)
            columns = torch.tensor(row.columns, dtype=torch.long)
            before = len(columns) if row.start is None else row.start
            source[index, at : at + before] = columns[:before]
            source[index, at + before + row.fast_length : at + row.length] = columns[before:]
        return source


def lay_out(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    fast_lengths: Sequence[int | None],
    *,
    side: Literal["left", "right"],
    limit: int,
) -> PromptLayout:
    """Find the placeholder of each row of `input_ids` [B, L] and make room for its fast tokens.

    Args:
        fast_lengths: fast tokens of each row's video, None for a row without one.
        limit: the longest prompt the model takes, fast tokens included.

    Raises:
        PromptError: a row with several placeholders, a placeholder without a video, or an empty row.
        PromptTooLongError: a row longer than `limit`.
    """
    rows = []
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    for index, (ids, kept) in enumerate(zip(input_ids.tolist(), mask.tolist(), strict=True)):
        columns = [column for column, keep in enumerate(kept) if keep]
        places = [at for at, column in enumerate(columns) if ids[column] == VIDEO_TOKEN_ID]
        if len(places) > 1:
            raise PromptError(
                f"prompt {index} has {len(places)} video placeholders; the model takes one video."
            )
        fast_length = fast_lengths[index]
        if places and fast_length is None:
            raise PromptError(f"prompt {index} has a video placeholder but no video was given for it.")
        if not columns:
            raise PromptError(f"prompt {index} is empty.")
        text = tuple(column for column in columns if ids[column] != VIDEO_TOKEN_ID)
        row = RowLayout(text, places[0] if places else None, (fast_length or 0) if places else 0)
        check_length(row.length, row.fast_length, limit=limit, index=index)
        rows.append(row)
    return PromptLayout(tuple(rows), side)


def per_row(items: Sequence[_T | None] | None, input_ids: torch.Tensor) -> list[_T | None]:
    """The video of each row of `input_ids` [B, L]: `items` has one entry a row, None for a row without one.

    A row without a placeholder has no place for its video: it is not used, as in the published code.

    Raises:
        PromptError: another number of entries than rows.
    """
    rows = input_ids.tolist()
    if items is None:
        return [None] * len(rows)
    if len(items) != len(rows):
        raise PromptError(
            f"{len(items)} videos were given for {len(rows)} prompts.",
            hint="Give one entry per prompt, None for a prompt without a video.",
        )
    return [item if VIDEO_TOKEN_ID in ids else None for item, ids in zip(items, rows, strict=True)]


def check_length(length: int, fast_length: int, *, limit: int, index: int) -> None:
    """Refuse prompt number `index` of `length` tokens, `fast_length` of them fast ones, if it is too long.

    Raises:
        PromptTooLongError: it exceeds `limit`.
    """
    if length <= limit:
        return
    raise PromptTooLongError(
        f"prompt {index} has {length} tokens ({fast_length} of them fast visual tokens); "
        f"the model takes {limit}.",
        hint="Shorten the text (subtitles, options), or use fewer frames or larger fast-token strides.",
    )
