"""Decoder, vision tower and projector under the published names."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import nn
from transformers import AutoModel
from transformers.conversion_mapping import register_checkpoint_conversion_mapping
from transformers.core_model_loading import WeightRenaming
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.models.qwen2.modeling_qwen2 import Qwen2Model

from sf_eval.model.attention import HybridAttention, HybridDecoderLayer
from sf_eval.model.cache import SlowFastCache
from sf_eval.model.config import SlowFastConfig
from sf_eval.model.preprocess import check_pixels
from sf_eval.model.slow_state import SlowPass
from sf_eval.model.tokens import VideoFeatures, fast_tokens, pool_frames
from sf_eval.model.vision import VisionTower, build_projector

# The released checkpoints call the tower's layer scale `weight`; timm calls it `gamma`.
register_checkpoint_conversion_mapping(
    SlowFastConfig.model_type,
    [WeightRenaming(r"(stages\.\d+\.blocks\.\d+)\.weight", r"\1.gamma")],
    overwrite=True,
)


class SlowFastModel(Qwen2Model):  # type: ignore[misc]
    """Decoder, tower and projector; attribute names give the published checkpoint keys."""

    config_class = SlowFastConfig
    _no_split_modules: ClassVar[list[str]] = ["Qwen2DecoderLayer", "HybridDecoderLayer", "ConvNeXtBlock"]

    def __init__(self, config: SlowFastConfig) -> None:
        config.check()
        super().__init__(config)
        for index in config.hybrid_layers:
            self.layers[index] = HybridDecoderLayer(config, index)
        self.vision_tower = VisionTower(config.vision_config)
        self.mm_projector = build_projector(config)
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, HybridAttention) and module.has_warm_up_gate:
            nn.init.zeros_(module.cross_attn_warm_up_gate)

    def forward(
        self, *args: Any, past_key_values: Any = None, slow: SlowPass | None = None, **kwargs: Any
    ) -> BaseModelOutputWithPast:
        """As Qwen2Model's. `slow` is what the pass is told of the slow path; None takes it from the cache."""
        cache = past_key_values if isinstance(past_key_values, SlowFastCache) else None
        if slow is None and cache is not None:
            slow = cache.slow_pass()
        output: BaseModelOutputWithPast = super().forward(
            *args, past_key_values=past_key_values, slow=slow, **kwargs
        )
        if cache is not None and all(cache.holds_slow(index) for index in self.config.hybrid_layers):
            cache.forget_slow_tokens()
        return output

    def encode_video(self, pixel_values: torch.Tensor, chunk_frames: int = 16) -> VideoFeatures:
        """See `SlowFastForConditionalGeneration.encode_video`.

        Raises:
            PromptError: frames that are not normalised, or not of the tower's size.
        """
        check_pixels(pixel_values, self.config.vision_config.image_size)
        frames = pixel_values if pixel_values.ndim == 4 else pixel_values[None]
        several = frames.shape[0] > 1
        chunks = frames.split(chunk_frames) or (frames,)
        # Pooled chunk by chunk: unpooled tokens of all frames would take four times the memory.
        return self.split_paths(
            torch.cat([self.project(self.vision_tower(chunk), pool=several) for chunk in chunks])
        )

    def project(self, features: torch.Tensor, *, pool: bool = True) -> torch.Tensor:
        """Tower output [T, g, g, C] -> tokens [T, h, w, D]; a single image's are not pooled."""
        # Three dimensions at most: what bitsandbytes' 8-bit layers take.
        tokens = self.mm_projector(features.flatten(1, 2)).unflatten(1, features.shape[1:3])
        return pool_frames(tokens, self.config.mm_video_pooling_stride if pool else 1)

    def split_paths(self, tokens: torch.Tensor) -> VideoFeatures:
        """What the two paths are given of one video's tokens [T, h, w, D]."""
        return VideoFeatures(
            fast_tokens=fast_tokens(tokens, **self.config.fast_rule),
            slow_tokens=tokens.flatten(0, 2),
            num_frames=tokens.shape[0],
        )


AutoModel.register(SlowFastConfig, SlowFastModel)
