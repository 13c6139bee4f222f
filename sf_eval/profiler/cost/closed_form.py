"""What a slow-fast model costs, in closed form. Integers throughout, counted in MACs.

One MAC is one multiply-add; FLOPs are twice that. Counted are matrix products, convolutions, attention and
the poolings' averages; norms, activations, rotary embeddings, softmax and residual additions are not (the
same convention as torch's FlopCounterMode). `trace.py` counts the same quantities over the real module; the
tests hold one against the other.

Symbols in the comments: D hidden size, A width of all query heads, K width of all KV heads, I width of the
MLP, V vocabulary, L layers, X hybrid layers, n tokens in the LLM, Q tokens that cross-attend, N_s slow
tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum

from sf_eval.profiler.cost.shape import ModelShape, VisionShape
from sf_eval.profiler.cost.tokens import TokenCounts, count_tokens


class Convention(str, Enum):
    """How causal self-attention at prefill is counted."""

    HALVED = "halved"  # a causal kernel skips the upper triangle: half of the square
    FULL = "full"  # the whole square, as FlopCounterMode counts it


class Unit(str, Enum):
    """What a printed number counts."""

    FLOP = "flop"
    MAC = "mac"

    @property
    def per_mac(self) -> int:
        return 2 if self is Unit.FLOP else 1


class DecodeVariant(str, Enum):
    """What a decoding step does with the slow tokens."""

    CACHED = "cached"  # ours: keys and values projected once per video, attended to at every step
    PUBLISHED = "published"  # the authors' code: projected again at every step (and then multiplied by zero)
    WITHOUT = "without"  # `decode_slow_attention=False` here: the published result without its cost

    @classmethod
    def own(cls, shape: ModelShape) -> DecodeVariant:
        """What a model of this shape does where nothing else is asked for."""
        return cls.CACHED if shape.decode_slow_attention else cls.WITHOUT


MARKUP_BEFORE_VIDEO = 14
"""Tokens of the published chat markup (ChatML) before the video: system prompt and the user's header."""


def markup_before_video(text_tokens: int) -> int:
    """How many of a prompt's `text_tokens` stand before the video, where nobody counted."""
    return min(MARKUP_BEFORE_VIDEO, text_tokens)


@dataclass(frozen=True)
class Workload:
    """What is asked of the model. All samples of a batch are alike.

    Attributes:
        frames: frames per sample; 0 for text only, 1 for a single image.
        text_tokens: tokens of the prompt that are not visual, the system prompt included.
        new_tokens: tokens generated. The prefill gives the first, so `new_tokens - 1` decoding steps follow.
        batch_size: samples.
        text_before_video: the text tokens that precede the video (under `masksystem` they ask no slow token).
    """

    frames: int
    text_tokens: int = 100
    new_tokens: int = 1
    batch_size: int = 1
    text_before_video: int = 0


@dataclass(frozen=True)
class VisionCost:
    """MACs of the tower."""

    stem: int
    stages: tuple[int, ...]

    @property
    def total(self) -> int:
        return self.stem + sum(self.stages)


@dataclass(frozen=True)
class LanguageCost:
    """MACs of the LLM, in a prefill or in decoding steps."""

    attention_projections: int = 0
    self_attention: int = 0
    mlp: int = 0
    logits: int = 0
    cross_kv_projection: int = 0
    cross_attention: int = 0
    cross_gate: int = 0

    @property
    def cross_total(self) -> int:
        """Everything that the slow path adds."""
        return self.cross_kv_projection + self.cross_attention + self.cross_gate

    @property
    def total(self) -> int:
        return sum(getattr(self, item.name) for item in fields(self))


@dataclass(frozen=True)
class Cost:
    """MACs of one workload, part by part.

    Attributes:
        decode: all decoding steps together.
        decode_step: the first decoding step (the cache holds the prompt, and the token itself).
    """

    tokens: TokenCounts
    vision: VisionCost
    projector: int
    pooling: int
    prefill: LanguageCost
    decode: LanguageCost
    decode_step: LanguageCost

    @property
    def total(self) -> int:
        return self.vision.total + self.projector + self.pooling + self.prefill.total + self.decode.total


def cost(
    shape: ModelShape,
    work: Workload,
    *,
    convention: Convention = Convention.HALVED,
    decode: DecodeVariant | None = None,
) -> Cost:
    """MACs of answering `work.batch_size` questions, every part apart; `decode` None asks the shape."""
    decode = decode or DecodeVariant.own(shape)
    tokens = count_tokens(shape, work.frames)
    batch = work.batch_size
    return Cost(
        tokens=tokens,
        vision=vision_cost(shape.vision, batch * work.frames),
        projector=projector_cost(shape, batch * work.frames),
        # An average over k values is taken as k multiply-adds: a convolution with constant weights.
        pooling=batch * tokens.pooling_reads,
        prefill=prefill_cost(shape, tokens, work, convention),
        decode=decode_cost(shape, tokens, work, decode, steps=max(work.new_tokens - 1, 0)),
        decode_step=decode_cost(shape, tokens, work, decode, steps=1),
    )


def vision_cost(vision: VisionShape, images: int) -> VisionCost:
    """ConvNeXt (Liu et al. 2022, as timm builds it) on `images` squares of side `image_size`."""
    positions = [images * side * side for side in vision.grids]
    # Stem: a 4x4 convolution of stride 4 from 3 colours, so 48 C_0 per position.
    stem = positions[0] * vision.widths[0] * 3 * 4 * 4
    stages = []
    for stage, (depth, width, here) in enumerate(zip(vision.depths, vision.widths, positions, strict=True)):
        # Downsampling: a 2x2 convolution of stride 2 from the stage before, 4 C_{i-1} C_i per position.
        down = here * vision.widths[stage - 1] * width * 4 if stage else 0
        # A block: depthwise 7x7 (49 C), then Linear C -> 4C and 4C -> C (8 C^2).
        stages.append(down + depth * here * (49 * width + 8 * width * width))
    return VisionCost(stem, tuple(stages))


def projector_cost(shape: ModelShape, images: int) -> int:
    """Linear(C, D), then Linear(D, D) for each further layer, on every tower token before pooling."""
    per_token = shape.vision.widths[-1] * shape.hidden_size
    per_token += (shape.projector_layers - 1) * shape.hidden_size**2
    return images * shape.vision.grids[-1] ** 2 * per_token


def prefill_cost(
    shape: ModelShape, tokens: TokenCounts, work: Workload, convention: Convention
) -> LanguageCost:
    """The LLM on the whole prompt, with the last position's logits."""
    n = work.text_tokens + tokens.fast_tokens
    square = 2 * n * n * shape.attention_width  # Q K^T and P V: n^2 A each
    queries = cross_queries(shape, tokens, work)
    cross = _cross(shape, tokens.slow_tokens, queries)
    return _scaled(
        LanguageCost(
            attention_projections=shape.layers * n * _projections(shape),
            self_attention=shape.layers * (square // 2 if convention is Convention.HALVED else square),
            mlp=shape.layers * n * _mlp(shape),
            logits=shape.vocab_size * shape.hidden_size,  # V D, the last position only
            cross_kv_projection=_cross_kv(shape, tokens.slow_tokens),
            cross_attention=cross[0],
            cross_gate=cross[1],
        ),
        work.batch_size,
    )


def decode_cost(
    shape: ModelShape, tokens: TokenCounts, work: Workload, variant: DecodeVariant, *, steps: int
) -> LanguageCost:
    """`steps` decoding steps after the prefill; step j (from 1) attends to prompt + j tokens, its own too."""
    prompt = work.text_tokens + tokens.fast_tokens
    keys = steps * prompt + steps * (steps + 1) // 2
    slow = 0 if variant is DecodeVariant.WITHOUT else tokens.slow_tokens
    attention, gate = _cross(shape, slow, steps)
    return _scaled(
        LanguageCost(
            attention_projections=shape.layers * steps * _projections(shape),
            # One query against all keys: Q K^T and P V, A multiply-adds per key each. Nothing to halve.
            self_attention=shape.layers * 2 * keys * shape.attention_width,
            mlp=shape.layers * steps * _mlp(shape),
            logits=steps * shape.vocab_size * shape.hidden_size,
            cross_kv_projection=steps * _cross_kv(shape, slow) if variant is DecodeVariant.PUBLISHED else 0,
            cross_attention=attention,
            cross_gate=gate,
        ),
        work.batch_size,
    )


def cross_queries(shape: ModelShape, tokens: TokenCounts, work: Workload) -> int:
    """Tokens of one sample's prompt that cross-attend; none where there are no slow tokens."""
    if not tokens.slow_tokens:
        return 0
    if shape.query_rule == "all":
        return work.text_tokens + tokens.fast_tokens
    if shape.query_rule == "text after video":
        return work.text_tokens - work.text_before_video
    return work.text_tokens


def _projections(shape: ModelShape) -> int:
    """A token's q and o projections (D A each), k and v projections (D K each)."""
    return 2 * shape.hidden_size * shape.attention_width + 2 * shape.hidden_size * shape.kv_width


def _mlp(shape: ModelShape) -> int:
    """A token's gate, up and down projections: D I each (Qwen2's SwiGLU)."""
    return 3 * shape.hidden_size * shape.intermediate_size


def _cross_kv(shape: ModelShape, slow_tokens: int) -> int:
    """`cross_attn_kv_proj` of X layers: Linear(D, 2K) on every slow token."""
    return shape.hybrid_layers * slow_tokens * shape.hidden_size * 2 * shape.kv_width


def _cross(shape: ModelShape, slow_tokens: int, queries: int) -> tuple[int, int]:
    """Cross-attention and its gate in X layers; queries are the self-attention's own, so no projection."""
    if not slow_tokens:
        return 0, 0
    attention = shape.hybrid_layers * 2 * queries * slow_tokens * shape.attention_width  # Q K^T and P V
    gate = shape.hybrid_layers * queries * shape.attention_width  # Linear(A, 1) on each querying token
    return attention, gate


def _scaled(part: LanguageCost, batch: int) -> LanguageCost:
    return LanguageCost(**{item.name: batch * getattr(part, item.name) for item in fields(part)})
