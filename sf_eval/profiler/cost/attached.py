"""What a slow path costs on somebody else's decoder, in closed form. Plain integers, no torch.

Symbols: D hidden size, A width of all query heads, K width of all KV heads, I the MLP's, V vocabulary, L
layers, X hybrid layers, n tokens in the language model, Q of them that query (the text), N slow tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.profiler.cost.closed_form import Convention
from sf_eval.profiler.cost.families import DecoderShape, FamilyShape

EVERY_N_LAYERS = 8
_BYTES = 2  # of a kept value: bfloat16


@dataclass(frozen=True)
class Compression:
    """Which part of the video tokens stays in the language model.

    Attributes:
        temporal_stride, spatial_stride: as in `attach_slow_path`.
        slow: whether the rest is read through a slow path; False is the pooled control.
    """

    temporal_stride: int = 1
    spatial_stride: int = 1
    slow: bool = True

    @property
    def inverse(self) -> int:
        """Slow tokens a fast token is pooled of."""
        return self.temporal_stride * self.spatial_stride**2


PLAIN = Compression(slow=False)


@dataclass(frozen=True)
class AttachedCost:
    """One model at one number of frames, one prompt. MACs and bytes.

    Attributes:
        fast_tokens: video tokens in the language model.
        slow_tokens: read beside; 0 without a slow path.
        slow_path: of `prefill`, what the slow path adds.
        kv_bytes: keys and values of the prompt in 16 bits, slow ones among them.
        added_weights: parameters of the slow path.
    """

    frames: int
    fast_tokens: int
    slow_tokens: int
    text_tokens: int
    prefill: int
    slow_path: int
    vision: int
    kv_bytes: int
    added_weights: int

    @property
    def total(self) -> int:
        return self.prefill + self.vision

    @property
    def prompt_tokens(self) -> int:
        return self.fast_tokens + self.text_tokens


def attached_cost(
    shape: FamilyShape,
    frames: int,
    text_tokens: int,
    compression: Compression,
    *,
    hybrid_layers: int | None = None,
    convention: Convention = Convention.HALVED,
) -> AttachedCost:
    """Encoding one video and prefilling one prompt about it, with the last position's logits.

    Args:
        hybrid_layers: X; None takes layers 0, 8, 16, ...
    """
    decoder = shape.decoder
    units, height, width = shape.slow_grid(frames)
    fast = max(units // compression.temporal_stride, 1)
    fast *= (height // compression.spatial_stride) * (width // compression.spatial_stride)
    hybrid = hybrid_layers if hybrid_layers is not None else -(-decoder.layers // EVERY_N_LAYERS)
    hybrid = hybrid if compression.slow else 0
    slow = units * height * width if hybrid else 0
    tokens = fast + shape.tail + text_tokens
    added = slow_path_macs(decoder, hybrid, slow, text_tokens)
    return AttachedCost(
        frames=frames,
        fast_tokens=fast + shape.tail,
        slow_tokens=slow,
        text_tokens=text_tokens,
        prefill=decoder_macs(decoder, tokens, convention) + added,
        slow_path=added,
        vision=shape.vision_macs(frames),
        # A key and a value of K numbers: in each layer a token, in each hybrid layer a slow token.
        kv_bytes=2 * _BYTES * decoder.kv_width * (decoder.layers * tokens + hybrid * slow),
        added_weights=hybrid * slow_path_weights(decoder),
    )


def decoder_macs(decoder: DecoderShape, tokens: int, convention: Convention) -> int:
    """Prefill of n tokens: L (n (2 D A + 2 D K + 3 D I) + 2 n^2 A, halved where asked) + V D."""
    hidden = decoder.hidden_size
    linear = (
        2 * hidden * (decoder.attention_width + decoder.kv_width) + 3 * hidden * decoder.intermediate_size
    )
    square = 2 * tokens**2 * decoder.attention_width
    attention = square // 2 if convention is Convention.HALVED else square
    return decoder.layers * (tokens * linear + attention) + decoder.vocab_size * hidden


def slow_path_macs(decoder: DecoderShape, hybrid: int, slow: int, queries: int) -> int:
    """X (2 N D K + 2 Q N A + Q A): keys and values, attention, gates."""
    if not slow:
        return 0
    width = decoder.attention_width
    projection = 2 * slow * decoder.hidden_size * decoder.kv_width
    return hybrid * (projection + 2 * queries * slow * width + queries * width)


def slow_path_weights(decoder: DecoderShape) -> int:
    """Of one layer: Linear(D, 2 K), Linear(A, 1), and the warm-up gate."""
    return 2 * decoder.kv_width * (decoder.hidden_size + 1) + decoder.attention_width + 1 + 1
