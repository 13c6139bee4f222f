"""Vision tower and projector: frames -> visual tokens in the language model's width."""

from __future__ import annotations

import re
from typing import Any

import torch
from torch import nn

from sf_eval.model.config import SlowFastConfig, VisionConfig
from sf_eval.model.errors import PromptError
from sf_eval.model.imports import without_wandb
from sf_eval.model.placement import compute_device

with without_wandb():
    from timm.models.convnext import ConvNeXt, ConvNeXtBlock

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
        for block in self.vision_tower.modules():
            if isinstance(block, ConvNeXtBlock):
                block.mlp.register_forward_pre_hook(_cells_in_a_row)
                block.mlp.register_forward_hook(_cells_in_a_grid)
        self.image_size = config.image_size
        self.register_load_state_dict_pre_hook(_take_published_names)

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
        stem = self.vision_tower.stem[0]
        frames = frames.to(device=compute_device(stem), dtype=stem.weight.dtype)
        if frames.is_cuda:
            frames = frames.contiguous(memory_format=torch.channels_last)
        features: torch.Tensor = self.vision_tower.forward_features(frames)
        return features.permute(0, 2, 3, 1)


def _cells_in_a_row(_module: nn.Module, given: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    """[T, g, g, C] -> [T * g, g, C], the same memory: bitsandbytes' 8-bit layers take no fourth dimension."""
    return (given[0].flatten(0, 1),)


def _cells_in_a_grid(_module: nn.Module, given: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
    """Back to [T, g, g, C]; the tower's input is square, and so is its grid."""
    grid: torch.Tensor = output.unflatten(0, (-1, given[0].shape[1]))
    return grid


def _take_published_names(_module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Let `load_state_dict` read what `save_pretrained` writes: it calls a block's layer scale `weight`.

    `from_pretrained` renames by itself; `Trainer` resumes, and takes its best model, by `load_state_dict`,
    and goes on without keys that do not fit.
    """
    block = re.compile(re.escape(prefix) + r"vision_tower\.stages\.\d+\.blocks\.\d+\.(?=weight$)")
    for key in [key for key in state if block.match(key)]:
        state.setdefault(key.removesuffix("weight") + "gamma", state.pop(key))


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
