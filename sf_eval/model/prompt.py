"""Where each token of a prompt ends up once the video's placeholders have become fast tokens.

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
        runs: where in the row's expanded sequence each run of fast tokens begins, and how many there are in
            it; one run, unless text stands between the frames; none without a video.
    """

    columns: tuple[int, ...]
    runs: tuple[Span, ...] = ()

    @property
    def fast_length(self) -> int:
        """Fast tokens of all runs."""
        return sum(length for _, length in self.runs)

    @property
    def length(self) -> int:
        """Tokens in the language model."""
        return len(self.columns) + self.fast_length

    def fast_places(self) -> torch.Tensor:
        """The position of each fast token in the prompt, padding not counted: [fast_length]."""
        runs = [torch.arange(start, start + length) for start, length in self.runs]
        return torch.cat(runs) if runs else torch.zeros(0, dtype=torch.long)

    def query_spans(self, offset: int, *, all_tokens: bool, masks_system: bool) -> tuple[Span, ...]:
        """Positions that query slow tokens, `offset` being the padding before the row's first token.

        Text tokens do: all that is neither a fast token nor padding, what stands before the first run
        included unless `masks_system`. With `all_tokens` the fast tokens do too. Without a video nothing
        does.
        """
        if not self.runs:
            return ()
        if all_tokens:
            return ((offset, offset + self.length),)
        spans = [(offset + start, offset + stop) for start, stop in self.text_spans()]
        return tuple(span for span in (spans[1:] if masks_system else spans) if span[0] < span[1])

    def text_spans(self) -> list[Span]:
        """Half-open ranges of text in the expanded sequence: before, between and after the runs."""
        starts = [0, *(start + length for start, length in self.runs)]
        return list(zip(starts, [*(start for start, _ in self.runs), self.length], strict=True))


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
            columns, taken = torch.tensor(row.columns, dtype=torch.long), 0
            for start, stop in row.text_spans():
                source[index, at + start : at + stop] = columns[taken : taken + stop - start]
                taken += stop - start
        return source


def lay_out(
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    fast_lengths: Sequence[Sequence[int] | None],
    *,
    side: Literal["left", "right"],
    limit: int,
) -> PromptLayout:
    """Find the placeholders of each row of `input_ids` [B, L] and make room for its fast tokens.

    Args:
        fast_lengths: fast tokens of each row's video, run by run; None for a row without one.
        limit: the longest prompt the model takes, fast tokens included.

    Raises:
        PromptError: a row with another number of placeholders than its video has runs, a placeholder without
            a video, or an empty row.
        PromptTooLongError: a row longer than `limit`.
    """
    rows = []
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    for index, (ids, kept) in enumerate(zip(input_ids.tolist(), mask.tolist(), strict=True)):
        columns = [column for column, keep in enumerate(kept) if keep]
        places = [at for at, column in enumerate(columns) if ids[column] == VIDEO_TOKEN_ID]
        fast_length = fast_lengths[index]
        if len(places) > (1 if fast_length is None else len(fast_length)):
            raise PromptError(
                f"prompt {index} has {len(places)} video placeholders; the model takes one video."
            )
        if places and fast_length is None:
            raise PromptError(f"prompt {index} has a video placeholder but no video was given for it.")
        if not columns:
            raise PromptError(f"prompt {index} is empty.")
        if places and fast_length is not None and len(places) < len(fast_length):
            raise PromptError(
                f"prompt {index} has {len(places)} placeholders for {len(fast_length)} parts of its video."
            )
        text = tuple(column for column in columns if ids[column] != VIDEO_TOKEN_ID)
        row = RowLayout(text, _runs(places, fast_length or ()))
        check_length(row.length, row.fast_length, limit=limit, index=index)
        rows.append(row)
    return PromptLayout(tuple(rows), side)


def _runs(places: Sequence[int], lengths: Sequence[int]) -> tuple[Span, ...]:
    """Start and length of each run, where `places` count placeholders as one."""
    runs: list[Span] = []
    grown = 0
    for place, length in zip(places, lengths[: len(places)], strict=True):
        runs.append((place + grown, length))
        grown += length - 1
    return tuple(runs)


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
