"""Prompts as the decoder sees them: token embeddings with fast tokens in the placeholders' places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from sf_eval.model.placement import compute_device
from sf_eval.model.prompt import PromptLayout, lay_out, per_row
from sf_eval.model.tokens import VideoFeatures

IGNORED_LABEL = -100


@dataclass(frozen=True)
class EmbeddedPrompt:
    """Prompts as the decoder sees them.

    Attributes:
        inputs_embeds: [B, L, D]; zero at padding.
        attention_mask: [B, L], 1 on real tokens.
        layout: which position holds what.
    """

    inputs_embeds: torch.Tensor
    attention_mask: torch.Tensor
    layout: PromptLayout


def embed(
    embedding: nn.Embedding,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    video_features: Sequence[VideoFeatures | None] | None,
    *,
    side: Literal["left", "right"],
    limit: int,
) -> EmbeddedPrompt:
    """Replace each placeholder of `input_ids` [B, L] by fast tokens and pad to the longest prompt on `side`.

    Raises:
        PromptError, PromptTooLongError: see `sf_eval.model.prompt`.
    """
    features = per_row(video_features, input_ids)
    fast_lengths = [None if item is None else item.run_lengths for item in features]
    layout = lay_out(input_ids, attention_mask, fast_lengths, side=side, limit=limit)
    device = compute_device(embedding)
    source = layout.source_columns().to(input_ids.device)
    ids = input_ids.gather(1, source.clamp(min=0)).masked_fill(source < 0, 0)  # [B, L']
    embeds = embedding(ids.to(device)).masked_fill((source < 0).to(device)[..., None], 0.0)  # [B, L', D]
    for index, (row, item) in enumerate(zip(layout.rows, features, strict=True)):
        if item is None or not row.runs:
            continue
        fast = item.fast_tokens.to(device, embeds.dtype)
        for (start, length), run in zip(row.runs, fast.split(item.run_lengths), strict=True):
            at = layout.offset(row) + start
            embeds[index, at : at + length] = run
    return EmbeddedPrompt(embeds, layout.mask().to(device), layout)


def expand_labels(labels: torch.Tensor | None, layout: PromptLayout) -> torch.Tensor | None:
    """Labels [B, L] where their tokens went: [B, L']; no loss on fast tokens and padding."""
    if labels is None:
        return None
    source = layout.source_columns().to(labels.device)
    return labels.gather(1, source.clamp(min=0)).masked_fill(source < 0, IGNORED_LABEL)


def predictable_labels(labels: torch.Tensor | None, mask: torch.Tensor | None) -> torch.Tensor | None:
    """Labels [B, n] of the last n positions of `mask` [B, L], without those that no real token predicts.

    The loss takes a token's prediction from the position before it. Padding has nothing to say, so neither
    padding nor a token right after it counts: a row's first real token, as in a batch without padding.
    """
    if labels is None or mask is None or mask.ndim != 2:
        return labels
    real = mask.bool()[:, -labels.shape[1] :].to(labels.device)
    predicted = real.clone()
    predicted[:, 1:] &= real[:, :-1]
    return labels.masked_fill(~predicted, IGNORED_LABEL)
