"""Configuration in the published keys (`config.json` of the released checkpoints).

A key that a checkpoint lacks has the value the published code would use: transformers leaves keys at their
default out of config.json, so the language model's defaults are `Qwen2Config`'s.

Without `from __future__ import annotations`: `strict` holds a value to its annotation, and skips one that is
a string.
"""

import math
import re
from collections.abc import Mapping
from typing import Any, TypedDict

import torch
from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig
from transformers.activations import ACT2FN
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config

from sf_eval.core.config_defaults import CONVNEXT, SLOW_FAST, named_image_size
from sf_eval.core.errors import CheckpointError


class FastRule(TypedDict):
    """What `sf_eval.model.tokens` goes by."""

    sampling_stride: int
    temporal_stride: int
    spatial_stride: int
    min_fast_frames: int


_WEIGHT_FILES = ("model.safetensors", "model.safetensors.index.json")


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
    """Qwen2 plus the slow-fast keys. Three keys are ours: `slow_path`, `slow_rope`, `decode_slow_attention`.

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
        num_frames: frames of a video in training, where the checkpoint states it; None where it does not.
        slow_path: "off" turns the slow branch off: the self-attention-only baseline. Settable after loading.
        slow_rope: "published": slow keys are not rotated, so that all slow tokens seem to stand at one place;
            "own": each is rotated at its place among the fast tokens (`sf_eval.model.tokens.slow_places`), so
            that queries see when something was. Weights are made for one of the two.
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
    num_frames: int | None = None
    slow_path: str = SLOW_FAST["slow_path"]
    slow_rope: str = SLOW_FAST["slow_rope"]
    decode_slow_attention: bool = SLOW_FAST["decode_slow_attention"]

    def __post_init__(self, **kwargs: Any) -> None:
        # The published model overwrites rope_scaling with None, whatever config.json says.
        kwargs.pop("rope_scaling", None)
        if (named := kwargs.pop("transformers_weights", None)) not in (None, *_WEIGHT_FILES):
            # transformers would load that file, and not those that are checked and hashed.
            raise ValueError(f"transformers_weights is {named!r}; weights are read from {_WEIGHT_FILES[0]}")
        quantization = kwargs.get("quantization_config")
        if not isinstance(quantization, Mapping | None) and not hasattr(quantization, "to_dict"):
            raise ValueError(f"quantization_config is {quantization!r}, not a mapping")
        head_dim = kwargs.get("head_dim")
        if head_dim is None:
            kwargs.pop("head_dim", None)  # Qwen2 looks for the key, not for its value
        elif type(head_dim) is not int:
            raise ValueError(f"head_dim is {head_dim!r}; it must be a whole number, 1 or more")
        dtype: torch.dtype | str | None = self.dtype  # type: ignore[has-type]
        older_name = kwargs.pop("torch_dtype", None)
        self.dtype = floating_dtype(older_name if dtype is None else dtype)
        # It only says which embedding is never trained; padding is masked, and the tokenizer's id is used.
        pad: int | None = self.pad_token_id  # type: ignore[has-type]
        self.pad_token_id = pad if pad is not None and 0 <= pad < self.vocab_size else None
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
    def fast_rule(self) -> FastRule:
        """How slow tokens are compressed to fast ones."""
        return FastRule(
            sampling_stride=self.fast_token_temporal_sampling_stride or 1,
            temporal_stride=self.fast_token_temporal_stride or 1,
            spatial_stride=self.fast_token_spatial_stride or 1,
            min_fast_frames=self.min_fast_frames or 1,
        )

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
        _check_sizes(self)
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
        if self.slow_rope not in ("published", "own"):
            raise CheckpointError(f"slow_rope is {self.slow_rope!r}; it must be 'published' or 'own'.")
        if len(self.vision_config.depths) != 4 or len(self.vision_config.hidden_sizes) != 4:
            raise CheckpointError("vision_config: depths and hidden_sizes must have four entries each.")


def floating_dtype(value: torch.dtype | str | None) -> torch.dtype | None:
    """The dtype called `value`, with or without "torch."; None for None and "auto".

    Raises:
        ValueError: not the name of a floating-point dtype of torch.
    """
    if value is None or value == "auto":
        return None
    dtype = getattr(torch, value.removeprefix("torch."), None) if isinstance(value, str) else value
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise ValueError(f"{value!r} is not a floating-point dtype of torch, as 'float16' is")
    return dtype


_POSITIVE = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "max_position_embeddings", "mm_hidden_size", "num_frames",
    "mm_video_pooling_stride", "fast_token_spatial_stride",
    "fast_token_temporal_stride", "fast_token_temporal_sampling_stride", "min_fast_frames",
)  # fmt: skip
_NOT_NEGATIVE = (
    "cross_attn_every_n_layers", "cross_attn_min_layer_depth", "cross_attn_max_layer_depth",
    "tokenizer_model_max_length",
)  # fmt: skip


def _check_sizes(config: SlowFastConfig) -> None:
    """Refuse sizes of which no layer can be made, each by its key.

    Raises:
        CheckpointError: a size that is no number, too small, or that does not divide another.
    """
    for keys, least in ((_POSITIVE, 1), (_NOT_NEGATIVE, 0)):
        for key in keys:
            value = getattr(config, key, None)
            if value is not None and (type(value) is not int or value < least):
                raise CheckpointError(f"{key} is {value!r}; it must be a whole number, {least} or more.")
    heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
    if heads % kv_heads:
        raise CheckpointError(
            f"num_attention_heads is {heads}, no multiple of num_key_value_heads {kv_heads}."
        )
    if getattr(config, "head_dim", None) is None and config.hidden_size % heads:
        raise CheckpointError(
            f"hidden_size is {config.hidden_size}, no multiple of num_attention_heads {heads}."
        )
    theta = (config.rope_parameters or {}).get("rope_theta")
    if isinstance(theta, bool) or not isinstance(theta, int | float) or not 0 < theta < math.inf:
        raise CheckpointError(f"rope_theta is {theta!r}; it must be a number above 0.")
    if config.hidden_act not in ACT2FN:
        raise CheckpointError(f"hidden_act is {config.hidden_act!r}; transformers has no such activation.")
    tower = config.vision_config
    for key, values in (("depths", tower.depths), ("hidden_sizes", tower.hidden_sizes)):
        if any(value < 1 for value in values):
            raise CheckpointError(f"vision_config: {key} is {list(values)}; it must hold numbers above 0.")
    if tower.image_size < 32:
        raise CheckpointError(f"vision_config: image_size is {tower.image_size}; it must be 32 or more.")


def _vision_config(value: Any, tower: str | None) -> VisionConfig:
    """The tower's shape; its image size may also be the number at the end of `mm_vision_tower`."""
    if isinstance(value, VisionConfig):
        return value
    if not isinstance(value, Mapping | None):
        raise ValueError(f"vision_config is {value!r}; it must be a mapping of keys to values")
    values = {key: item for key, item in dict(value or {}).items() if key != "model_type"}
    if (size := named_image_size(values, tower)) is not None:
        values["image_size"] = size
    return VisionConfig(**values)


AutoConfig.register(SlowFastConfig.model_type, SlowFastConfig)
