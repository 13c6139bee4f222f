"""Bytes of one pass of a decoder, and of what it keeps. Plain integers, no torch.

For decoders of Qwen2's and Llama's kind, as transformers computes them with scaled dot product attention.
"""

from __future__ import annotations

from typing import Protocol

FLOAT = 4
"""Bytes of a float32 value: norms and the chosen logits are computed so."""


class Decoder(Protocol):
    """What the bytes of a decoder depend on; widths are of all heads together."""

    @property
    def layers(self) -> int: ...
    @property
    def hidden_size(self) -> int: ...
    @property
    def intermediate_size(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def vocab_size(self) -> int: ...
    @property
    def attention_width(self) -> int: ...
    @property
    def kv_width(self) -> int: ...


def kv_bytes(decoder: Decoder, positions: int, width: int) -> int:
    """Keys and values of every layer."""
    return decoder.layers * 2 * decoder.kv_width * positions * width


def pass_bytes(
    decoder: Decoder, rows: int, length: int, keys: int, width: int, *, masked: bool, room: bool
) -> int:
    """Activations of one pass over `rows` x `length` new tokens that attend to `keys` positions.

    Args:
        masked: a mask was given, with which keys and values are repeated for every query head.
        room: keys and values are written in place; else a layer's are copied to grow.
    """
    tokens, d, a, k = rows * length, decoder.hidden_size, decoder.attention_width, decoder.kv_width
    # Throughout: the embeddings, the layer's input, its normed copy; the cosines and sines.
    always = tokens * (3 * d + 2 * decoder.head_dim)
    # In attention: queries, new keys and values, the output and its copy in a row; in a query's rotation,
    # three more of its size instead of the output.
    repeated = 2 * rows * keys * a if masked and decoder.heads != decoder.kv_heads else 0
    grown = 0 if room or length == keys else 2 * rows * keys * k
    attention = tokens * (3 * a + 2 * k) + repeated + grown
    rotation = tokens * (4 * a + 2 * k)
    # In the MLP: the input of the layer beside the residual, and gate, up and their product.
    mlp = tokens * (d + 3 * decoder.intermediate_size)
    # A norm computes in float32: its input so, and one more of its size.
    norm = tokens * 2 * d * FLOAT // width
    mask = rows * length * keys if masked else 0
    logits = rows * decoder.vocab_size * (width + FLOAT)
    layer = (always + max(attention, rotation, mlp, norm)) * width + mask
    return max(layer, 2 * tokens * d * width + logits)
