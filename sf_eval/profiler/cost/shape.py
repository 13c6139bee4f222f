"""The numbers of a slow-fast model that its cost depends on, read from `config.json` keys. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sf_eval.core.config_defaults import CONVNEXT, QWEN2, SLOW_FAST
from sf_eval.core.errors import CheckpointError


@dataclass(frozen=True)
class VisionShape:
    """A ConvNeXt: a stem of stride 4, then stages, each but the first halving the grid.

    Attributes:
        depths: blocks of each stage.
        widths: channels of each stage.
        image_size: side of the square input in pixels.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    image_size: int

    @property
    def grids(self) -> tuple[int, ...]:
        """Side of each stage's grid; convolutions without padding drop what fills no window."""
        side = self.image_size // 4
        return tuple(side >> stage for stage in range(len(self.depths)))


@dataclass(frozen=True)
class ModelShape:
    """Everything `closed_form` needs to know of one model.

    Attributes:
        slow_path: False for the self-attention-only baseline.
        hybrid_layers: number of decoder layers that cross-attend to slow tokens (0 without a slow path).
        query_rule: which tokens cross-attend at prefill: "text" (every token that is no visual one), "text
            after video" (`masksystem`) or "all" (the published `vanilla` mode).
        projector_layers: Linear layers of the projector.
        pooling_stride: side of the average-pooling window on each frame's grid, for more than one frame.
        sampling_stride, temporal_stride, spatial_stride, min_fast_frames: the fast path's rule.
        tied_embeddings: True where the logits' matrix is the embeddings' (fewer weights, equal cost).
        context_tokens: longest prompt that the model takes, visual tokens included; None where nothing says.
        decode_slow_attention: whether a decoding step attends to slow tokens where nothing else is asked for.

    The last two say how a model of this shape is used; two shapes are equal without them.
    """

    vision: VisionShape
    hidden_size: int
    intermediate_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    slow_path: bool
    hybrid_layers: int
    query_rule: str
    projector_layers: int
    pooling_stride: int
    sampling_stride: int
    temporal_stride: int
    spatial_stride: int
    min_fast_frames: int
    tied_embeddings: bool = False
    context_tokens: int | None = field(default=None, compare=False)
    decode_slow_attention: bool = field(default=True, compare=False)

    @property
    def attention_width(self) -> int:
        """Width of all query heads together."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of the keys (or of the values) of all KV heads together."""
        return self.kv_heads * self.head_dim

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, slow_path: bool = True) -> ModelShape:
        """Read the published keys of a `config.json`; what is lacking counts as in `SlowFastConfig`.

        Raises:
            CheckpointError: a size that cannot be defaulted is missing, or a projector is of unknown kind.
        """
        required = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        if missing := [key for key in required if not isinstance(config.get(key), int)]:
            raise CheckpointError(
                f"the configuration has no {', '.join(missing)}: its cost cannot be told.",
                hint="Give a slow-fast checkpoint's config.json.",
            )
        stated = {**SLOW_FAST, **QWEN2, **config}
        heads = int(stated["num_attention_heads"])
        layers = int(stated["num_hidden_layers"])
        slow_path = slow_path and stated["slow_path"] in ("on", True)
        return cls(
            vision=_vision(stated),
            hidden_size=int(stated["hidden_size"]),
            intermediate_size=int(stated["intermediate_size"]),
            layers=layers,
            heads=heads,
            kv_heads=int(stated["num_key_value_heads"] or heads),
            head_dim=int(stated.get("head_dim") or stated["hidden_size"] // heads),
            vocab_size=int(stated["vocab_size"]),
            slow_path=slow_path,
            hybrid_layers=_hybrid_layers(stated, layers) if slow_path else 0,
            query_rule=_query_rule(str(stated["cross_attn_implementation"])),
            projector_layers=_projector_layers(str(stated["mm_projector_type"])),
            # A stride that is null, or 0, does nothing: it counts as 1.
            pooling_stride=int(stated["mm_video_pooling_stride"] or 1),
            sampling_stride=int(stated["fast_token_temporal_sampling_stride"] or 1),
            temporal_stride=int(stated["fast_token_temporal_stride"] or 1),
            spatial_stride=int(stated["fast_token_spatial_stride"] or 1),
            min_fast_frames=int(stated["min_fast_frames"] or 1),
            tied_embeddings=bool(stated["tie_word_embeddings"]),
            context_tokens=_context_tokens(stated),
            decode_slow_attention=bool(stated["decode_slow_attention"]),
        )

    def self_attention_only(self) -> ModelShape:
        """The paper's baseline of the same LLM and tower: every pooled token goes into the LLM."""
        return replace(
            self,
            slow_path=False,
            hybrid_layers=0,
            sampling_stride=1,
            temporal_stride=1,
            spatial_stride=1,
            min_fast_frames=1,
        )

    def with_strides(self, *, sampling: int | None = None, temporal: int | None = None) -> ModelShape:
        """The same model with another fast path."""
        return replace(
            self,
            sampling_stride=self.sampling_stride if sampling is None else sampling,
            temporal_stride=self.temporal_stride if temporal is None else temporal,
        )


def _vision(config: Mapping[str, Any]) -> VisionShape:
    own = config.get("vision_config") or {}
    if not isinstance(own, Mapping):
        own = own.to_dict()
    return VisionShape(
        depths=tuple(int(depth) for depth in own.get("depths") or CONVNEXT["depths"]),
        widths=tuple(int(width) for width in own.get("hidden_sizes") or CONVNEXT["hidden_sizes"]),
        image_size=int(own.get("image_size") or _size_in_name(config) or CONVNEXT["image_size"]),
    )


def _size_in_name(config: Mapping[str, Any]) -> int | None:
    """`mm_vision_tower` ends in the image size ("convnext-576") where nothing else says it."""
    match = re.search(r"-(\d+)$", str(config.get("mm_vision_tower") or ""))
    return int(match[1]) if match else None


def _context_tokens(config: Mapping[str, Any]) -> int | None:
    """The smaller of the model's two limits, as `SlowFastConfig.max_prompt_tokens`."""
    limits = (config["tokenizer_model_max_length"], config["max_position_embeddings"])
    return min((int(limit) for limit in limits if limit), default=None)


def _hybrid_layers(config: Mapping[str, Any], layers: int) -> int:
    first = int(config["cross_attn_min_layer_depth"] or 0)
    last = config["cross_attn_max_layer_depth"]
    every = config["cross_attn_every_n_layers"]
    if not every:  # null or 0: the checkpoint has no hybrid layers
        return 0
    return len(range(first, layers if last is None else min(int(last), layers), int(every)))


def _query_rule(implementation: str) -> str:
    """Which tokens query, by the rule of `SlowFastConfig`; "all" does not ask for "masksystem"."""
    if implementation.startswith("vanilla"):
        return "all"
    return "text after video" if "masksystem" in implementation else "text"


def _projector_layers(kind: str) -> int:
    if kind == "linear":
        return 1
    if match := re.fullmatch(r"mlp(\d+)x_gelu", kind):
        return int(match[1])
    raise CheckpointError(f"mm_projector_type is {kind!r}; known are 'linear' and 'mlpNx_gelu'.")
