"""What each stage has to compute and to move at least: what its seconds are held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from sf_eval.inference.chunks import CHUNK_FRAMES
from sf_eval.model import SlowFastForConditionalGeneration
from sf_eval.profiler.cost.memory import kv_cache_bytes, slow_bytes
from sf_eval.profiler.cost.tokens import count_tokens
from sf_eval.profiler.measured.pipeline import Ask
from sf_eval.profiler.measured.stages import PREFILL, PREFIX, QUESTIONS, STEP, VISION
from sf_eval.profiler.rows import Question, closed_form_row


@dataclass(frozen=True)
class Work:
    """Of one stage.

    Attributes:
        flops: by the profile's convention.
        least_bytes: weights, each read once (the tower's once a chunk of frames), pixels, and caches as they
            are read or written once. Activations come on top, so a share of the bandwidth is a lower bound.
    """

    flops: int
    least_bytes: int


@dataclass(frozen=True)
class WeightBytes:
    """Bytes of a model's weights by when they are read.

    Attributes:
        vision: tower and projector, for each chunk of frames.
        slow: the projection of slow tokens to keys and values, once a video.
        language: for each pass of the language model. Of the embedding table a row is read, unless it is the
            logits' matrix too.
    """

    vision: int
    slow: int
    language: int

    @classmethod
    def of(cls, model: SlowFastForConditionalGeneration) -> WeightBytes:
        vision = slow = language = 0
        tied = model.lm_head.weight is model.get_input_embeddings().weight
        for name, parameter in model.named_parameters():
            size = parameter.numel() * parameter.element_size()
            if "vision_tower" in name or "mm_projector" in name:
                vision += size
            elif "cross_attn_kv_proj" in name:
                slow += size
            elif tied or "embed_tokens" not in name:
                language += size
        return cls(vision, slow, language)


def work_of(ask: Ask, question: Question, weights: WeightBytes, *, value_bytes: int) -> dict[str, Work]:
    """The work of every stage whose FLOPs are known; a prefix and its questions where they are apart.

    Args:
        value_bytes: of one weight and of one cached value.
    """
    shape, tokens = ask.subject.shape, count_tokens(ask.subject.shape, ask.frames)
    row = closed_form_row(ask.subject, ask.frames, question.with_batch(ask.batch_size))
    seen = closed_form_row(ask.subject, ask.frames, question.with_batch(ask.videos))
    chunks = ask.videos * ceil(ask.frames / CHUNK_FRAMES)
    pixels = ask.videos * ask.frames * 3 * shape.vision.image_size**2
    read_prompt = replace(question, new_tokens=1).work(ask.frames)
    cached = replace(read_prompt, batch_size=ask.batch_size)
    keys = kv_cache_bytes(shape, tokens, cached, value_bytes)
    slow = slow_bytes(shape, tokens, replace(cached, batch_size=ask.videos), value_bytes)
    found = {
        VISION: Work(
            seen.vision_flops + seen.projector_flops + seen.pooling_flops, chunks * weights.vision + pixels
        ),
        STEP: Work(row.decode_flops_per_token, weights.language + keys + slow),
    }
    if not ask.shared:
        found[PREFILL] = Work(row.prefill_flops, weights.language + weights.slow + keys + slow)
        return found
    # What the questions add to their prefix is what whole prompts take beyond it: with half of the causal
    # square counted, exactly; the last position's logits are computed in both.
    before = Question(ask.before_video, 1, 1, ask.before_video, question.convention, question.decode)
    prefix = closed_form_row(ask.subject, ask.frames, before)
    logits = prefix.breakdown["prefill_logits"]
    suffix = row.prefill_flops // ask.batch_size - prefix.prefill_flops + logits
    prefix_keys = kv_cache_bytes(shape, tokens, before.work(ask.frames), value_bytes)
    found[PREFIX] = Work(prefix.prefill_flops, weights.language + weights.slow + prefix_keys + slow)
    found[QUESTIONS] = Work(ask.batch_size * suffix, weights.language + keys + slow)
    return found
