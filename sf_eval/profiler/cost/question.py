"""What one question cost: the entry for `sf-eval run`, which knows frames and token counts, not tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sf_eval.profiler.cost.closed_form import (
    Convention,
    Cost,
    DecodeVariant,
    Workload,
    cost,
    markup_before_video,
)
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.cost.tokens import count_tokens


@dataclass(frozen=True)
class QuestionCost:
    """FLOPs (2 per multiply-add) of answering one question.

    Attributes:
        vision_flops: the tower, all frames.
        projector_flops: the projector, all frames.
        pooling_flops: average poolings into slow and fast tokens.
        prefill_flops: the LLM on the prompt, `cross_attention_flops` included.
        cross_attention_flops: what the slow path adds to the prefill.
        decode_flops: all decoding steps (`new_tokens - 1`; the prefill gives the first token).
        total_flops: vision + projector + pooling + prefill + decode.
    """

    vision_flops: int
    projector_flops: int
    pooling_flops: int
    prefill_flops: int
    cross_attention_flops: int
    decode_flops: int
    total_flops: int


@dataclass(frozen=True)
class QuestionComparison:
    """One question asked of a model and of its self-attention-only baselines.

    Attributes:
        model: the model itself.
        same_budget: the baseline that is shown as many frames as the model has fast frames (the paper's).
        same_frames: the baseline that is shown all the frames.
    """

    model: QuestionCost
    same_budget: QuestionCost
    same_frames: QuestionCost


def shape_of(source: Any, *, slow_path: bool | None = None) -> ModelShape:
    """A `ModelShape` from itself, from config.json keys, from a model card or a transformers config."""
    if isinstance(source, ModelShape):
        shape = source
    elif isinstance(source, Mapping):
        shape = ModelShape.from_config(source)
    elif hasattr(source, "to_dict"):
        shape = ModelShape.from_config(source.to_dict())
    else:
        keys = {**source.config, "decode_slow_attention": source.decode_slow_attention}
        shape = ModelShape.from_config(keys, slow_path=source.slow_path == "on")
    if slow_path is False:
        return replace(shape, slow_path=False, hybrid_layers=0)
    return shape


def cost_of_question(
    shape_or_config: Any,
    frames: int,
    prompt_text_tokens: int,
    new_tokens: int,
    slow_path: bool | None = None,
    convention: Convention | str = Convention.HALVED,
    decode: DecodeVariant | str | None = None,
    text_before_video: int | None = None,
) -> QuestionCost:
    """FLOPs of one question in closed form.

    Args:
        shape_or_config: a `ModelShape`, config.json keys, a model card or a transformers configuration.
        frames: frames shown; 0 without a video.
        prompt_text_tokens: tokens of the prompt that are not visual.
        new_tokens: tokens generated, the end-of-turn token included.
        slow_path: False counts the same fast path without the slow path; None asks the configuration.
        convention: "halved" or "full" causal self-attention.
        decode: what a decoding step does with slow tokens; None asks the configuration's
            `decode_slow_attention`.
        text_before_video: text tokens before the video, which query no slow tokens under `masksystem`; None
            takes the published chat markup's.

    Raises:
        CheckpointError: a configuration without the sizes that the cost depends on.
    """
    before = markup_before_video(prompt_text_tokens) if text_before_video is None else text_before_video
    work = Workload(frames, prompt_text_tokens, new_tokens, text_before_video=before)
    shape = shape_of(shape_or_config, slow_path=slow_path)
    variant = None if decode is None else DecodeVariant(decode)
    return in_flops(cost(shape, work, convention=Convention(convention), decode=variant))


def compare_question(
    shape_or_config: Any,
    frames: int,
    prompt_text_tokens: int,
    new_tokens: int,
    convention: Convention | str = Convention.HALVED,
    decode: DecodeVariant | str | None = None,
    text_before_video: int | None = None,
) -> QuestionComparison:
    """The same question asked of the model and of its baselines; arguments as in `cost_of_question`."""
    shape = shape_of(shape_or_config)
    baseline = shape.self_attention_only()
    fast_frames = count_tokens(shape, frames).fast_frames

    def ask(which: ModelShape, shown: int) -> QuestionCost:
        return cost_of_question(
            which,
            shown,
            prompt_text_tokens,
            new_tokens,
            convention=convention,
            decode=decode,
            text_before_video=text_before_video,
        )

    return QuestionComparison(
        model=ask(shape, frames),
        same_budget=ask(baseline, fast_frames),
        same_frames=ask(baseline, frames),
    )


def in_flops(macs: Cost) -> QuestionCost:
    """The sums that every report shows, in FLOPs."""
    return QuestionCost(
        vision_flops=2 * macs.vision.total,
        projector_flops=2 * macs.projector,
        pooling_flops=2 * macs.pooling,
        prefill_flops=2 * macs.prefill.total,
        cross_attention_flops=2 * macs.prefill.cross_total,
        decode_flops=2 * macs.decode.total,
        total_flops=2 * macs.total,
    )
