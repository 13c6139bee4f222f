"""Rows of the other video MLLMs: traced parts put into the same columns."""

from __future__ import annotations

from dataclasses import replace

from sf_eval.core.errors import UsageError
from sf_eval.profiler.cost.closed_form import Convention, DecodeVariant, LanguageCost
from sf_eval.profiler.record import ProfileRow, TraceRecord
from sf_eval.profiler.rows import Question, exceeds
from sf_eval.profiler.traced import others
from sf_eval.profiler.traced.ops import TraceError


def other_row(name: str, frames: int, question: Question) -> ProfileRow:
    """The row of one of `others.other_names()`.

    Raises:
        UsageError: its forward pass cannot be traced; the message says why.
    """
    other = others.get_other(name)
    try:
        traced = others.trace_other(other, other.build(), frames, question.text_tokens)
    except TraceError as error:
        raise UsageError(str(error), hint="Leave this --against out.") from error
    return _row_of_other(other, traced, frames, question)


def _row_of_other(
    other: others.OtherModel, traced: others.OtherCost, frames: int, question: Question
) -> ProfileRow:
    steps = max(question.new_tokens - 1, 0)
    batch = 2 * question.batch_size  # FLOPs of the batch for each MAC of a sample
    halved = question.convention is Convention.HALVED
    attention = traced.prefill.self_attention // 2 if halved else traced.prefill.self_attention
    prefill = replace(traced.prefill, self_attention=attention)
    # Each later step attends to one key more: 2 x width multiply-adds a layer.
    a_key = traced.decode_step.self_attention // (question.text_tokens + traced.visual_tokens + 1)
    decode = steps * traced.decode_step.total + a_key * (steps * (steps - 1) // 2)
    total = traced.vision + traced.projector + traced.pooling + prefill.total + decode
    prompt = question.text_tokens + traced.visual_tokens
    return ProfileRow(
        model=other.name,
        title=other.title,
        role="against",
        frames=frames,
        slow_tokens=0,
        fast_tokens=traced.visual_tokens,
        fast_frames=frames,
        prompt_tokens=prompt,
        context_tokens=other.context_tokens,
        exceeds_context=exceeds(prompt, other.context_tokens),
        text_tokens=question.text_tokens,
        new_tokens=question.new_tokens,
        batch_size=question.batch_size,
        vision_flops=batch * traced.vision,
        projector_flops=batch * traced.projector,
        pooling_flops=batch * traced.pooling,
        prefill_flops=batch * prefill.total,
        cross_attention_flops=0,
        decode_flops_per_token=batch * traced.decode_step.total,
        decode_flops=batch * decode,
        total_flops=batch * total,
        convention=question.convention.value,
        decode=(question.decode or DecodeVariant.CACHED).value,  # no slow tokens: all variants are one
        breakdown=_breakdown_of_other(traced, prefill, decode, batch),
        kv_cache_bytes=question.batch_size * other.kv_values * (prompt + steps) * 2,
        slow_bytes=0,
        trace=TraceRecord("only traced"),
        notes=_notes(other, traced, frames),
    )


def _notes(other: others.OtherModel, traced: others.OtherCost, frames: int) -> str:
    """What the row takes for granted, and from where."""
    unit = "frame" if traced.units == frames else "two frames"
    each = traced.visual_tokens // traced.units
    return f"Shape from {other.source}. {other.setting}: {each:,} tokens per {unit} here."


def _breakdown_of_other(
    traced: others.OtherCost, prefill: LanguageCost, decode: int, batch: int
) -> dict[str, int]:
    parts = {
        "vision": traced.vision,
        "projector": traced.projector,
        "pooling": traced.pooling,
        "prefill_attention_projections": prefill.attention_projections,
        "prefill_self_attention": prefill.self_attention,
        "prefill_mlp": prefill.mlp,
        "prefill_logits": prefill.logits,
        "decode": decode,
    }
    return {part: batch * value for part, value in parts.items()}
