"""Rows of the report: a subject (a model with a name) at a number of frames."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from sf_eval.profiler.cost.closed_form import (
    Convention,
    Cost,
    DecodeVariant,
    LanguageCost,
    Workload,
    cost,
    markup_before_video,
)
from sf_eval.profiler.cost.memory import kv_cache_bytes, slow_bytes
from sf_eval.profiler.cost.question import in_flops
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.record import Comparison, ProfileRow, TraceRecord

NOT_TRACED = TraceRecord("not traced")


@dataclass(frozen=True)
class Subject:
    """What a row is about.

    Attributes:
        config: its configuration, from which both the closed form and the traced model are made.
        frames: frames it is shown unless something else is asked for.
    """

    name: str
    title: str
    config: dict[str, Any]
    frames: int

    @cached_property
    def shape(self) -> ModelShape:
        return ModelShape.from_config(self.config)

    def with_config(self, **changes: Any) -> Subject:
        """The same subject with some keys of its configuration changed."""
        return replace(self, config={**self.config, **changes})

    def self_attention_only(self) -> Subject:
        """The paper's baseline of the same LLM and tower: every pooled token goes into the LLM."""
        baseline = self.with_config(
            slow_path="off",
            fast_token_temporal_sampling_stride=1,
            fast_token_temporal_stride=1,
            fast_token_spatial_stride=1,
            min_fast_frames=1,
        )
        return replace(baseline, name="self-attention-only", title=f"Self-attention only, of {self.name}")


@dataclass(frozen=True)
class Question:
    """What every row of one profile has in common; `frames` differs from row to row.

    Attributes:
        text_before_video: text tokens before the video (they ask no slow token under `masksystem`); None
            takes the published chat markup's.
        decode: what a decoding step does with slow tokens; None leaves it to each model.
    """

    text_tokens: int = 100
    new_tokens: int = 16
    batch_size: int = 1
    text_before_video: int | None = None
    convention: Convention = Convention.HALVED
    decode: DecodeVariant | None = None

    @property
    def before_video(self) -> int:
        """`text_before_video`, or the published markup's."""
        if self.text_before_video is None:
            return markup_before_video(self.text_tokens)
        return self.text_before_video

    def decode_of(self, subject: Subject) -> DecodeVariant:
        """What a decoding step of `subject` does with slow tokens."""
        return self.decode or DecodeVariant.own(subject.shape)

    def with_batch(self, batch_size: int) -> Question:
        return replace(self, batch_size=batch_size)

    def work(self, frames: int) -> Workload:
        return Workload(frames, self.text_tokens, self.new_tokens, self.batch_size, self.before_video)


def closed_form_row(
    subject: Subject, frames: int, question: Question, *, role: str = "model", trace: TraceRecord = NOT_TRACED
) -> ProfileRow:
    """The row of `subject` at `frames` frames, from the closed form."""
    work = question.work(frames)
    decode = question.decode_of(subject)
    macs = cost(subject.shape, work, convention=question.convention, decode=decode)
    prompt = work.text_tokens + macs.tokens.fast_tokens
    return ProfileRow(
        model=subject.name,
        title=subject.title,
        role=role,
        frames=frames,
        slow_tokens=macs.tokens.slow_tokens,
        fast_tokens=macs.tokens.fast_tokens,
        fast_frames=macs.tokens.fast_frames,
        prompt_tokens=prompt,
        context_tokens=subject.shape.context_tokens,
        exceeds_context=exceeds(prompt, subject.shape.context_tokens),
        text_tokens=work.text_tokens,
        new_tokens=work.new_tokens,
        batch_size=work.batch_size,
        **asdict(in_flops(macs)),
        decode_flops_per_token=2 * macs.decode_step.total,
        convention=question.convention.value,
        decode=decode.value,
        breakdown=breakdown(macs),
        kv_cache_bytes=kv_cache_bytes(subject.shape, macs.tokens, work),
        slow_bytes=slow_bytes(subject.shape, macs.tokens, work),
        trace=trace,
    )


def exceeds(prompt_tokens: int, context_tokens: int | None) -> bool:
    """Whether a model with that limit refuses a prompt of so many tokens."""
    return context_tokens is not None and prompt_tokens > context_tokens


def breakdown(macs: Cost) -> dict[str, int]:
    """FLOPs of every part; they add up to the total."""
    parts = {"vision_stem": macs.vision.stem}
    parts |= {f"vision_stage_{number}": value for number, value in enumerate(macs.vision.stages, start=1)}
    parts |= {"projector": macs.projector, "pooling": macs.pooling}
    for stage, language in (("prefill", macs.prefill), ("decode", macs.decode)):
        parts |= {f"{stage}_{item.name}": getattr(language, item.name) for item in fields(LanguageCost)}
    return {part: 2 * value for part, value in parts.items()}


def compare_rows(row: ProfileRow, against: ProfileRow) -> Comparison:
    """Ratios of one row's FLOPs to another's: of the LLM's prefill alone, and end to end."""
    return Comparison(
        model=row.model,
        frames=row.frames,
        against=against.model,
        against_frames=against.frames,
        prefill_ratio=row.prefill_flops / against.prefill_flops,
        total_ratio=row.total_flops / against.total_flops,
    )
