"""What an attached slow path is: layers, strides, gates, rotation of its keys. Plain values, no torch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, get_args

from sf_eval.core.errors import UsageError, nearest

Gating = Literal["dynamic-tanh-warmup", "dynamic-warmup"]
Rope = Literal["own", "published"]


@dataclass(frozen=True)
class SlowPathSettings:
    """The choices of `attach_slow_path`.

    Attributes:
        layers: the decoder layers that read slow tokens, ascending.
        temporal_stride: frames (of the tower's output) that are averaged to one fast frame.
        spatial_stride: side of the square of cells that is averaged to one fast token.
        gating: "dynamic-tanh-warmup": tanh(Linear(attention output)) * tanh(warm-up), the published one;
            "dynamic-warmup": the same without the first tanh.
        rope: "own": slow keys are rotated at the places of the fast tokens they are pooled into;
            "published": not rotated.
    """

    layers: tuple[int, ...]
    temporal_stride: int = 4
    spatial_stride: int = 2
    gating: Gating = "dynamic-tanh-warmup"
    rope: Rope = "own"

    @property
    def fast_share(self) -> Fraction:
        """Fast tokens over slow tokens."""
        return Fraction(1, self.temporal_stride * self.spatial_stride**2)


def read_settings(
    depth: int,
    *,
    every_n_layers: int | None,
    layers: Iterable[int] | None,
    fast_tokens: float | Fraction | None,
    temporal_stride: int | None,
    spatial_stride: int | None,
    gating: str,
    rope: str,
) -> SlowPathSettings:
    """The settings that arguments mean, for a decoder of `depth` layers.

    Raises:
        UsageError: arguments that contradict each other or that no slow path can have.
    """
    if (gating_known := get_args(Gating)) and gating not in gating_known:
        raise UsageError(
            f"gating {gating!r} is not known, or would not leave the model as it is at first.",
            hint=nearest(gating, gating_known),
        )
    if rope not in get_args(Rope):
        raise UsageError(f"rope {rope!r} is not known.", hint=nearest(rope, get_args(Rope)))
    temporal, spatial = _strides(fast_tokens, temporal_stride, spatial_stride)
    return SlowPathSettings(
        layers=_layers(depth, every_n_layers, layers),
        temporal_stride=temporal,
        spatial_stride=spatial,
        gating=gating,  # type: ignore[arg-type]
        rope=rope,  # type: ignore[arg-type]
    )


def _layers(depth: int, every: int | None, layers: Iterable[int] | None) -> tuple[int, ...]:
    if (every is None) == (layers is None):
        raise UsageError("attach_slow_path takes every_n_layers or layers, and one of the two alone.")
    if layers is None:
        assert every is not None
        if every < 1:
            raise UsageError(f"every_n_layers is {every}; it must be 1 or more.")
        return tuple(range(0, depth, every))
    chosen: Sequence[int] = sorted(set(layers))
    if not chosen or chosen[0] < 0 or chosen[-1] >= depth:
        raise UsageError(f"layers is {list(chosen)}; the decoder's layers are 0 to {depth - 1}.")
    return tuple(chosen)


def _strides(share: float | Fraction | None, temporal: int | None, spatial: int | None) -> tuple[int, int]:
    """Temporal and spatial stride.

    A share 1/n alone is split so: pooling 2 x 2 cells where n is a multiple of 4 beyond 4 itself, the rest in
    time (1/4: 4 frames; 1/8: 2 frames and 2 x 2; 1/16: 4 frames and 2 x 2).
    """
    if share is not None:
        if temporal is not None or spatial is not None:
            raise UsageError("give fast_tokens, or temporal_stride and spatial_stride, not both.")
        inverse = Fraction(1) / Fraction(share).limit_denominator(1 << 20) if share > 0 else Fraction(0)
        if inverse.denominator != 1 or inverse < 1:
            raise UsageError(f"fast_tokens is {share}; it must be 1/n of the slow tokens, as in 1/16.")
        whole = int(inverse)
        spatial = 2 if whole > 4 and whole % 4 == 0 else 1
        return whole // spatial**2, spatial
    if temporal is None and spatial is None:
        return SlowPathSettings.temporal_stride, SlowPathSettings.spatial_stride
    strides = (temporal or 1 if temporal is None else temporal, 1 if spatial is None else spatial)
    if min(strides) < 1:
        raise UsageError(f"temporal_stride and spatial_stride are {strides}; they must be 1 or more.")
    return strides
