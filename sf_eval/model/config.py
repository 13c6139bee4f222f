"""Configuration in the published keys (`config.json` of the released checkpoints).

A key that a checkpoint lacks has the value the published code would use: transformers leaves keys at their
default out of config.json, so the language model's defaults are `Qwen2Config`'s.
"""

from __future__ import annotations

import re
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config

from sf_eval.core.config_defaults import CONVNEXT, SLOW_FAST
from sf_eval.core.errors import CheckpointError


@strict
class VisionConfig(PreTrainedConfig):  # type: ignore[misc]
    """Shape of the ConvNeXt tower; the default is ConvNeXt-XXL (timm `convnext_xxlarge`) at 576 pixels.

    Attributes:
        depths: blocks of the four stages.
        hidden_sizes: channels of the four stages; the last is the width of a visual token.
        layer_norm_eps: of every norm in the tower.
        image_size: side of the square input in pixels; the grid has `image_size // 32` cells a side.
    """

    model_type = "slow_fast_convnext"
    base_config_key = "vision_config"

    depths: list[int] | tuple[int, ...] = CONVNEXT["depths"]
    hidden_sizes: list[int] | tuple[int, ...] = CONVNEXT["hidden_sizes"]
    layer_norm_eps: float = 1e-5
    image_size: int = CONVNEXT["image_size"]

    @property
    def grid(self) -> int:
        """Cells a side of the tower's output: four stages reduce by 32."""
        return int(self.image_size) // 32


@strict
class SlowFastConfig(Qwen2Config):  # type: ignore[misc]
    """Qwen2 plus the slow-fast keys. Two keys are ours: `slow_path` and `decode_slow_attention`.

    Attributes:
        cross_attn_every_n_layers, cross_attn_min_layer_depth, cross_attn_max_layer_depth: the hybrid layers
            are `range(min, max, every_n)`; None or 0 for every_n builds none.
        cross_attn_implementation: "text-only-vanilla..." (text tokens query the slow tokens; with
            "masksystem" in it only those after the video) or "vanilla..." (all tokens do).
        cross_attn_gating_type: "whole-dynamic[-tanh][-warmup]".
        fast_token_temporal_sampling_stride, fast_token_temporal_stride, fast_token_spatial_stride,
            min_fast_frames, mm_video_pooling_stride: see `sf_eval.model.tokens`.
        tokenizer_model_max_length: longest prompt in tokens, fast tokens included; None for no such limit.
        tokenizer_padding_side: on which side `forward` pads a ragged batch (`generate` always pads left).
        slow_path: "off" turns the slow branch off: the self-attention-only baseline. Settable after loading.
        decode_slow_attention: response tokens attend to slow tokens, as in training. False does what the
            published code does. Settable after loading.
    """

    model_type = "llava_qwen_slow_fast"

    vision_config: Any = None  # a VisionConfig once made; config.json has a mapping or nothing
    mm_vision_tower: str | None = SLOW_FAST["mm_vision_tower"]
    mm_hidden_size: int | None = None  # defaults to the tower's last width
    mm_projector_type: str = SLOW_FAST["mm_projector_type"]
    mm_video_pooling_stride: int | None = SLOW_FAST["mm_video_pooling_stride"]
    cross_attn_every_n_layers: int | None = SLOW_FAST["cross_attn_every_n_layers"]
    cross_attn_min_layer_depth: int | None = SLOW_FAST["cross_attn_min_layer_depth"]
    cross_attn_max_layer_depth: int | None = SLOW_FAST["cross_attn_max_layer_depth"]
    cross_attn_implementation: str = SLOW_FAST["cross_attn_implementation"]
    cross_attn_gating_type: str = SLOW_FAST["cross_attn_gating_type"]
    fast_token_spatial_stride: int | None = SLOW_FAST["fast_token_spatial_stride"]
    fast_token_temporal_stride: int | None = SLOW_FAST["fast_token_temporal_stride"]
    fast_token_temporal_sampling_stride: int | None = SLOW_FAST["fast_token_temporal_sampling_stride"]
    min_fast_frames: int | None = SLOW_FAST["min_fast_frames"]
    tokenizer_model_max_length: int | None = SLOW_FAST["tokenizer_model_max_length"]
    tokenizer_padding_side: str | None = "right"
    slow_path: str = SLOW_FAST["slow_path"]
    decode_slow_attention: bool = SLOW_FAST["decode_slow_attention"]

    def __post_init__(self, **kwargs: Any) -> None:
        # The published model overwrites rope_scaling with None, whatever config.json says.
        kwargs.pop("rope_scaling", None)
        self.vision_config = _vision_config(self.vision_config, self.mm_vision_tower)
        if self.mm_hidden_size is None:
            self.mm_hidden_size = self.vision_config.hidden_sizes[-1]
        for key in ("mm_video_pooling_stride", "fast_token_spatial_stride", "fast_token_temporal_stride",
                    "fast_token_temporal_sampling_stride", "min_fast_frames"):  # fmt: skip
            setattr(self, key, getattr(self, key) or 1)
        super().__post_init__(**kwargs)

    @property
    def hybrid_layers(self) -> tuple[int, ...]:
        """Indices of the decoder layers with cross-attention to slow tokens."""
        if not self.cross_attn_every_n_layers:
            return ()
        start = self.cross_attn_min_layer_depth or 0
        stop = self.cross_attn_max_layer_depth
        stop = self.num_hidden_layers if stop is None else stop
        return tuple(range(start, min(stop, self.num_hidden_layers), self.cross_attn_every_n_layers))

    @property
    def all_tokens_query(self) -> bool:
        """The published mode "vanilla", in which fast tokens query the slow tokens too."""
        return self.cross_attn_implementation.startswith("vanilla")

    @property
    def masks_system(self) -> bool:
        """Text before the video does not query the slow tokens."""
        return "masksystem" in self.cross_attn_implementation

    @property
    def max_prompt_tokens(self) -> int:
        """Longest prompt, fast tokens included."""
        limits = (self.tokenizer_model_max_length, self.max_position_embeddings)
        return int(min(limit for limit in limits if limit))

    def check(self) -> None:
        """Refuse what this package cannot compute.

        Raises:
            CheckpointError: naming the key, its value and what is supported.
        """
        tower = self.mm_vision_tower or ""
        if "convnext" not in tower.lower():
            raise CheckpointError(f"mm_vision_tower is {tower!r}; only ConvNeXt towers are supported.")
        if not re.fullmatch(r"linear|mlp\d+x_gelu", self.mm_projector_type):
            raise CheckpointError(
                f"mm_projector_type is {self.mm_projector_type!r}; 'linear' and 'mlpNx_gelu' are supported."
            )
        if not self.cross_attn_implementation.startswith(("text-only-vanilla", "vanilla")):
            raise CheckpointError(
                f"cross_attn_implementation is {self.cross_attn_implementation!r}; it must start with "
                "'text-only-vanilla' or 'vanilla'."
            )
        if not self.cross_attn_gating_type.startswith("whole-dynamic"):
            raise CheckpointError(
                f"cross_attn_gating_type is {self.cross_attn_gating_type!r}; it must start with "
                "'whole-dynamic'."
            )
        if self.slow_path not in ("on", "off"):
            raise CheckpointError(f"slow_path is {self.slow_path!r}; it must be 'on' or 'off'.")
        if len(self.vision_config.depths) != 4 or len(self.vision_config.hidden_sizes) != 4:
            raise CheckpointError("vision_config: depths and hidden_sizes must have four entries each.")


def _vision_config(value: Any, tower: str | None) -> VisionConfig:
    """The tower's shape; its image size may also be the number at the end of `mm_vision_tower`."""
    if isinstance(value, VisionConfig):
        return value
    values = {key: item for key, item in dict(value or {}).items() if key != "model_type"}
    if "image_size" not in values and (match := re.search(r"-(\d+)$", tower or "")):
        values["image_size"] = int(match.group(1))
    return VisionConfig(**values)


AutoConfig.register(SlowFastConfig.model_type, SlowFastConfig)
