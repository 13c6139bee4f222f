"""Vision tower and projector: frames -> visual tokens in the language model's width."""

from __future__ import annotations

import re

import torch
from torch import nn

from sf_eval.model.config import SlowFastConfig, VisionConfig
from sf_eval.model.errors import PromptError
from sf_eval.model.imports import without_wandb

with without_wandb():
    from timm.models.convnext import ConvNeXt

STRIDE = 32
"""Pixels a side of a grid cell."""


class VisionTower(nn.Module):
    """timm's ConvNeXt up to its last stage, without any head norm.

    The attribute is called `vision_tower` so that keys read `vision_tower.vision_tower.*`, as published.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.vision_tower = ConvNeXt(
            depths=tuple(config.depths),
            dims=tuple(config.hidden_sizes),
            norm_eps=config.layer_norm_eps,
            num_classes=0,
        )
        # Checkpoints carry a head that nothing uses; loading ignores it.
        self.vision_tower.head = nn.Identity()
        self.image_size = config.image_size

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """[T, 3, S, S], normalised -> [T, S / 32, S / 32, C].

        Raises:
            PromptError: frames that are not RGB squares of at least one grid cell.
        """
        count, channels, height, width = frames.shape if frames.ndim == 4 else (0, 0, 0, 0)
        if not count or channels != 3 or height != width or height < STRIDE:
            raise PromptError(
                f"frames have the shape {list(frames.shape)}; the model takes [T, 3, S, S] with at least one "
                f"frame (S is {self.image_size} for this model).",
                hint="Make them with SlowFastProcessor.preprocess.",
            )
        weight = self.vision_tower.stem[0].weight
        frames = frames.to(device=weight.device, dtype=weight.dtype)
        if frames.is_cuda:
            frames = frames.contiguous(memory_format=torch.channels_last)
        features: torch.Tensor = self.vision_tower.forward_features(frames)
        return features.permute(0, 2, 3, 1)


def build_projector(config: SlowFastConfig) -> nn.Sequential | nn.Linear:
    """`linear`, or `mlpNx_gelu`: N linear layers with GELU between them."""
    assert config.mm_hidden_size is not None  # SlowFastConfig.__post_init__
    first = nn.Linear(config.mm_hidden_size, config.hidden_size)
    if config.mm_projector_type == "linear":
        return first
    match = re.fullmatch(r"mlp(\d+)x_gelu", config.mm_projector_type)
    assert match is not None  # SlowFastConfig.check
    layers: list[nn.Module] = [first]
    for _ in range(1, int(match.group(1))):
        layers += [nn.GELU(), nn.Linear(config.hidden_size, config.hidden_size)]
    return nn.Sequential(*layers)
