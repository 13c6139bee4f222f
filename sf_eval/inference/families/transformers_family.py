"""What the families of transformers share before weights are loaded: cards, checkpoints, rules."""

from __future__ import annotations

import inspect
from typing import Any

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.inference.families import checkpoints
from sf_eval.inference.families.options import read_options
from sf_eval.inference.families.transformers_model import TransformersVideoModel
from sf_eval.inference.families.transformers_video import VideoTraits
from sf_eval.inference.families.video_sizes import largest_video, with_visual_tokens, writer_of
from sf_eval.inference.family import ModelSize, plain_rule
from sf_eval.model.attach import has_slow_path
from sf_eval.video import SamplingRule


class TransformersFamily:
    """A `Family` of which every model is one of transformers' own classes."""

    def __init__(self, traits: VideoTraits) -> None:
        self.traits = traits

    def check(self, card: ModelCard) -> None:
        read_options(card, self.traits.options)
        check_plain(card)

    def check_weights(self, card: ModelCard) -> None:
        check_processor(checkpoints.check(card, self.traits.model_type))

    def rule(self, card: ModelCard) -> SamplingRule:
        if card.sampling == "family":
            return self.traits.rule(card.num_frames, card.target_fps)
        return plain_rule(card)

    def size(self, card: ModelCard) -> ModelSize:
        known = checkpoints.outline(card)
        if known is None:
            return ModelSize(None)
        processor = known.processor
        check_processor(processor)
        options, model = read_options(card, self.traits.options), known.model
        pooled, writer = known.pooling or options.pooled, writer_of(processor, self.traits, model)
        video = largest_video(processor, writer, self.traits, self.rule(card), options, pooled)
        config = with_visual_tokens(model, processor, pooled, attached=has_slow_path(model))
        return ModelSize(known.parameters, None if video is None else config, video)

    def load(
        self,
        card: ModelCard,
        *,
        device: torch.device | str,
        dtype: torch.dtype | str | None,
        attn: str | None,
        revision: str | None,
    ) -> TransformersVideoModel:
        loaded = checkpoints.load(card, device=device, dtype=dtype, attn=attn, revision=revision)
        check_processor(loaded.processor)
        if "mm_encoder_outputs" not in inspect.signature(type(loaded.model).forward).parameters:
            raise CheckpointError(_too_old(type(loaded.model)))
        options = read_options(card, self.traits.options)
        return TransformersVideoModel(loaded, self.traits, options, self.rule(card))


def check_plain(card: ModelCard) -> None:
    """Refuse the settings that only a slow-fast model has.

    Raises:
        UsageError: the card has one of them.
    """
    if card.slow_path == "on" and not checkpoints.names_slow_path(card):
        raise UsageError(
            f"{card.name} has no slow path: it is another model's plain self-attention.",
            hint='Write slow_path: "off" in its card, or attach one (docs/attaching.md).',
        )
    if not card.decode_slow_attention:
        raise UsageError(
            f"{card.name}: --published-decoding is of slow-fast models; the family {card.family} has no "
            "such thing."
        )


def check_processor(processor: Any) -> None:
    """Refuse a processor that cannot write a video's text by itself.

    Raises:
        CheckpointError: the installed transformers is too old.
    """
    if not hasattr(processor, "replace_video_token"):
        raise CheckpointError(_too_old(type(processor)))


def _too_old(kind: type) -> str:
    import transformers

    return (
        f"transformers {transformers.__version__} is too old for this family ({kind.__name__}): it cannot be "
        "shown a video once for several questions. Install a later one, or write family: generic in its card."
    )
