"""The four ways to call the model, and what the decoder is given for each.

| `Call` | arguments of `forward` | who queries slow tokens |
|---|---|---|
| VIDEO_PROMPT | `input_ids` with a placeholder, and videos | the prompt's text tokens |
| TEXT_PROMPT | `input_ids` without placeholder, no cache or an empty one | nobody |
| EMBEDDED_PROMPT | `inputs_embeds`, no cache or an empty one (`generate`'s first pass) | as the cache says |
| CONTINUATION | what follows in a cache that is in use | a prompt's rest, and responses as configured |
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Literal

import torch
from torch import nn

from sf_eval.core.errors import UsageError
from sf_eval.model.cache import SlowFastCache
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.embedding import EmbeddedPrompt, predictable_labels
from sf_eval.model.errors import PromptError
from sf_eval.model.prompt import VIDEO_TOKEN_ID, PromptLayout, lay_out
from sf_eval.model.slow_state import SlowPass, Span
from sf_eval.model.tokens import VideoFeatures, slow_places

Continues = Literal["prompt", "response"]
"""What follows in a used cache: more of the prompt, or tokens that the model has answered with."""


Videos = Sequence[torch.Tensor | VideoFeatures | None]
"""Frames or encoded videos, one entry per row."""


class Call(Enum):
    """What a call of `forward` is; see the table above."""

    VIDEO_PROMPT = auto()
    TEXT_PROMPT = auto()
    EMBEDDED_PROMPT = auto()
    CONTINUATION = auto()


@dataclass(frozen=True)
class DecoderInputs:
    """What the decoder is given.

    Attributes:
        input_ids, inputs_embeds: one of them, [B, n] or [B, n, D].
        attention_mask: over all positions so far [B, L]; None where nothing is padded.
        cache: the conversation's state, or None.
        slow: who queries slow tokens; None where nobody can.
        labels: [B, n].
    """

    input_ids: torch.Tensor | None = None
    inputs_embeds: torch.Tensor | None = None
    attention_mask: torch.Tensor | None = None
    cache: Any = None
    slow: SlowPass | None = None
    labels: torch.Tensor | None = None

    @property
    def new(self) -> torch.Tensor:
        """The new positions, as ids or embeddings; the first two dimensions are [B, n]."""
        given = self.input_ids if self.inputs_embeds is None else self.inputs_embeds
        assert given is not None
        return given

    @property
    def positions(self) -> torch.Tensor | None:
        """Position of each new token [B, n]: the number of real tokens before it. None: Qwen2 counts.

        Cross-attention has rotary queries and unrotated keys, so it depends on absolute positions: padding
        must not shift them, wherever it lies.
        """
        mask = self.attention_mask
        if mask is None or mask.ndim != 2:
            return None
        return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -self.new.shape[1] :]

    def with_countable_labels(self) -> DecoderInputs:
        """Labels at padding, and those that padding would have to predict, carry no loss."""
        return replace(self, labels=predictable_labels(self.labels, self.attention_mask))


def which_call(
    input_ids: torch.Tensor | None,
    inputs_embeds: torch.Tensor | None,
    cache: Any,
    *,
    videos_given: bool,
) -> Call:
    """Tell the four cases apart. Nothing is read from the device in the last one.

    Raises:
        PromptError: neither ids nor embeddings, both, or embeddings with a video.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise PromptError("give input_ids or inputs_embeds, one of them.")
    if videos_given:
        if input_ids is None:
            raise PromptError("a video's place is found in input_ids: give those, not inputs_embeds.")
        return Call.VIDEO_PROMPT
    if cache is not None and cache.get_seq_length() > 0:
        return Call.CONTINUATION
    if input_ids is None:
        return Call.EMBEDDED_PROMPT
    return Call.VIDEO_PROMPT if _has_placeholder(input_ids) else Call.TEXT_PROMPT


def given_videos(
    pixel_values_videos: Sequence[torch.Tensor | None] | None,
    video_features: Sequence[VideoFeatures | None] | None,
) -> Videos | None:
    """Whichever of the two was given.

    Raises:
        PromptError: both.
    """
    if pixel_values_videos is None:
        return video_features
    if video_features is not None:
        raise PromptError("give pixel_values_videos or video_features, not both.")
    return pixel_values_videos


def is_checkpointing(model: nn.Module) -> bool:
    """Whether layers will be run again in the backward pass; transformers may do so with every n-th alone."""
    return model.training and any(getattr(part, "gradient_checkpointing", False) for part in model.modules())


def refuse_checkpointing(model: nn.Module) -> None:
    """Checkpointed layers are given no cache: each new token would see itself alone.

    Raises:
        UsageError: the model is checkpointing.
    """
    if is_checkpointing(model):
        raise UsageError(
            "a model in training with gradient checkpointing keeps no keys and values to continue from.",
            hint="Call model.eval() before generating.",
        )


def text_prompt(config: SlowFastConfig, inputs: DecoderInputs) -> DecoderInputs:
    """Prompts [B, L] without video; their padding stays where it is.

    Raises:
        PromptTooLongError: see `lay_out`.
    """
    limit = config.max_prompt_tokens
    if inputs.new.shape[1] > limit:
        lay_out(inputs.new, inputs.attention_mask, [None] * len(inputs.new), side="left", limit=limit)
    if isinstance(inputs.cache, SlowFastCache):
        inputs.cache.set_queries([()] * len(inputs.cache.slow_lengths))
        return replace(inputs, slow=inputs.cache.slow_pass())
    return inputs


def embedded_prompt(inputs: DecoderInputs) -> DecoderInputs:
    """A sequence's beginning as embeddings [B, n, D]; a `SlowFastCache` knows who queries (`set_queries`)."""
    slow = inputs.cache.slow_pass() if isinstance(inputs.cache, SlowFastCache) else None
    return replace(inputs, slow=slow)


def continuation(config: SlowFastConfig, inputs: DecoderInputs, continues: Continues) -> DecoderInputs:
    """`inputs` [B, n] that follow what their cache holds.

    The rest of a prompt queries slow tokens, be it a single token; a response's tokens do unless
    `decode_slow_attention` is off, be they several at once (as in assisted decoding).
    """
    cache = inputs.cache
    if not isinstance(cache, SlowFastCache):
        return inputs  # a conversation without videos
    count = inputs.new.shape[1]
    queries: tuple[Span, ...] = ()
    if continues == "prompt" or config.decode_slow_attention:
        queries = ((0, count),)
    cache.set_queries([queries] * len(cache.slow_lengths))
    mask = _extended_mask(inputs.attention_mask, cache, cache.get_seq_length() + count)
    return replace(inputs, attention_mask=mask, slow=cache.slow_pass())


def prompt_queries(layout: PromptLayout, config: SlowFastConfig) -> list[tuple[Span, ...]]:
    """Which positions of each laid-out prompt query slow tokens."""
    return [
        row.query_spans(
            layout.offset(row), all_tokens=config.all_tokens_query, masks_system=config.masks_system
        )
        for row in layout.rows
    ]


def fill_cache(cache: Any, prompt: EmbeddedPrompt, config: SlowFastConfig, *, copies: int = 1) -> None:
    """Tell an unused cache of the prompt it is for, each row `copies` times.

    Raises:
        TypeError: not such a cache.
    """
    if not isinstance(cache, SlowFastCache) or cache.get_seq_length() > 0:
        raise TypeError("a prompt with a video takes a cache made by new_cache, and an unused one.")
    cache.prompt_mask = prompt.attention_mask if prompt.layout.is_ragged else None
    cache.repeat_rows(copies)
    spans = prompt_queries(prompt.layout, config)
    cache.set_queries([of_row for of_row in spans for _ in range(copies)])


def fast_places(layout: PromptLayout, position_ids: torch.Tensor | None = None) -> list[torch.Tensor]:
    """Positions of each row's fast tokens, as the caller's `position_ids` [1 or B, L] have them, if any."""
    places = [row.fast_places() for row in layout.rows]
    if position_ids is None:
        return places
    given = position_ids.cpu().expand(len(places), -1)
    return [
        positions[layout.offset(row) + of_row]
        for positions, row, of_row in zip(given, layout.rows, places, strict=True)
    ]


def slow_rotation(
    rotary: Any,
    config: SlowFastConfig,
    videos: Sequence[VideoFeatures | None],
    fast: Sequence[torch.Tensor],
) -> torch.Tensor:
    """Cosine and sine of the places of each row's slow tokens: [2, B, N, d], float32.

    Args:
        rotary: the decoder's table of angles.
        fast: [N_fast] a row, position of each fast token; of no meaning for a row without a video.

    Raises:
        PromptError: features that do not have the tokens of so many square frames.
    """
    rows = [
        torch.zeros(0) if video is None else _places_of(video, config, places)
        for video, places in zip(videos, fast, strict=True)
    ]
    places = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).float()  # [B, N]
    frequencies = rotary.inv_freq
    angles = places.to(frequencies.device)[..., None] * frequencies.float()  # [B, N, d / 2]
    angles = torch.cat([angles, angles], dim=-1)
    turn: torch.Tensor = torch.stack([angles.cos(), angles.sin()]) * rotary.attention_scaling
    return turn


def _places_of(video: VideoFeatures, config: SlowFastConfig, fast: torch.Tensor) -> torch.Tensor:
    """Where the slow tokens of one video stand: [N_slow]."""
    cells = math.isqrt(len(video.slow_tokens) // max(video.num_frames, 1))
    if video.num_frames * cells**2 != len(video.slow_tokens):
        raise PromptError(
            f"a video of {video.num_frames} frames has {len(video.slow_tokens)} slow tokens; "
            "the frames of this model are squares."
        )
    return slow_places(fast, frames=video.num_frames, cells=cells, **config.fast_rule)


def _has_placeholder(input_ids: torch.Tensor) -> bool:
    return not input_ids.is_meta and bool((input_ids == VIDEO_TOKEN_ID).any())


def _extended_mask(mask: torch.Tensor | None, cache: SlowFastCache, length: int) -> torch.Tensor | None:
    """A mask over all `length` positions so far, where the caller gave none for a padded prompt."""
    if mask is not None or cache.prompt_mask is None:
        return mask
    prompt = cache.prompt_mask
    return torch.cat([prompt, prompt.new_ones(prompt.shape[0], length - prompt.shape[1])], dim=1)
