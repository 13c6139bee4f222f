"""What differs between the families of models: how video tokens come out of the tower and stand in a prompt.

Every family's own class does the work (`get_video_features`, `mm_encoder_outputs`); only what becomes of a
video with fewer tokens is said here. docs/attaching.md has the table.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling

from sf_eval.model.attach.decoder import plain_model
from sf_eval.model.attach.grids import Grid, VideoGrid
from sf_eval.model.errors import PromptError, SlowPathError

Inputs = Mapping[str, Any]


class Family(ABC):
    """How one family's video tokens are read, packed and placed.

    Attributes:
        runs: "one" run of placeholders a video, or one a "frame" of the tower's output.
        kept: with a run a frame, which runs (and the text before each) a pooled video keeps: the "first" of
            each window, whose timestamp stays, or the "leading" ones of the video, which are then numbered as
            those of a shorter video.
        modality: the key of its features in `mm_encoder_outputs`.
        axes: position axes, 1 or 3.
        tail: placeholders after those of the grid.
    """

    runs: Literal["one", "frame"] = "one"
    kept: Literal["first", "leading"] = "first"
    modality: Literal["video", "image"] = "video"
    axes = 1
    tail = 0

    def placeholder(self, model: Any) -> int:
        """Token id of a video token."""
        return int(getattr(plain_model(model).config, f"{self.modality}_token_id"))

    @abstractmethod
    def encode(self, model: Any, inputs: Inputs, frames: Sequence[int]) -> list[VideoGrid]:
        """The tower's output for all videos of a batch, in order.

        Args:
            inputs: what the family's processor made.
            frames: runs of placeholders of each video (its frames, where each has a run).
        """

    @abstractmethod
    def pack(self, grids: Sequence[VideoGrid]) -> Any:
        """Grids as `mm_encoder_outputs` has them."""

    def positions(self, model: Any, short: Inputs) -> torch.Tensor:
        """Positions of a batch: [B, L], or [4, B, L] under M-RoPE (the first is the text's own count)."""
        mask: torch.Tensor = short["attention_mask"]
        return (mask.long().cumsum(-1) - 1).clamp(min=0)

    def pooled_inputs(
        self, model: Any, inputs: Inputs, slow: Sequence[Grid], fast: Sequence[Grid]
    ) -> dict[str, Any]:
        """What else of `inputs` changes with the number of tokens."""
        return {}


class _Qwen(Family):
    axes = 3

    def encode(self, model: Any, inputs: Inputs, frames: Sequence[int]) -> list[VideoGrid]:
        grid_thw = inputs["video_grid_thw"]
        output = plain_model(model).get_video_features(
            inputs["pixel_values_videos"], grid_thw, return_dict=True
        )
        merge = self._merge(model)
        grids = [(int(t), int(h) // merge, int(w) // merge) for t, h, w in grid_thw.tolist()]
        levels = self._deepstack(output, grids)
        return [
            VideoGrid(tokens.unflatten(0, grid), tuple(level[video] for level in levels))
            for video, (tokens, grid) in enumerate(zip(output.pooler_output, grids, strict=True))
        ]

    def _deepstack(self, output: Any, grids: Sequence[Grid]) -> list[list[torch.Tensor]]:
        return []

    def pooled_inputs(
        self, model: Any, inputs: Inputs, slow: Sequence[Grid], fast: Sequence[Grid]
    ) -> dict[str, Any]:
        merge = self._merge(model)
        thw = [(frames, height * merge, width * merge) for frames, height, width in fast]
        return {"video_grid_thw": torch.tensor(thw, device=inputs["video_grid_thw"].device)}

    def positions(self, model: Any, short: Inputs) -> torch.Tensor:
        text = super().positions(model, short)
        if "video_grid_thw" not in short:
            return text.expand(4, -1, -1)
        names = ("video_grid_thw", "second_per_grid_ts", "attention_mask")
        given = {name: short[name] for name in names if name in short}
        # The model's own rule. Its forward would apply it too, but would leave its deltas on the model.
        placed, _ = plain_model(model).model.get_rope_index(
            short["input_ids"], short["mm_token_type_ids"], **given
        )
        return torch.cat([text[None], placed.to(text.device)])

    def _merge(self, model: Any) -> int:
        return int(plain_model(model).config.vision_config.spatial_merge_size)


class Qwen25VL(_Qwen):
    """Qwen2.5-VL: one run a video; a fast frame lasts as long as the frames it is pooled from."""

    def pack(self, grids: Sequence[VideoGrid]) -> Any:
        return BaseModelOutputWithPooling(pooler_output=tuple(grid.tokens.flatten(0, 2) for grid in grids))

    def pooled_inputs(
        self, model: Any, inputs: Inputs, slow: Sequence[Grid], fast: Sequence[Grid]
    ) -> dict[str, Any]:
        changed = super().pooled_inputs(model, inputs, slow, fast)
        seconds = inputs.get("second_per_grid_ts")
        if seconds is not None:
            seconds = torch.as_tensor(seconds)
            stride = plain_model(model).slow_path.temporal_stride
            windows = [min(stride, grid[0]) for grid in slow]
            changed["second_per_grid_ts"] = seconds * torch.tensor(windows, device=seconds.device)
        return changed


class Qwen3VL(_Qwen):
    """Qwen3-VL: a run a frame of the tower's output, its time in the text before; features of 3 depths."""

    runs: Literal["one", "frame"] = "frame"

    def _deepstack(self, output: Any, grids: Sequence[Grid]) -> list[list[torch.Tensor]]:
        return [
            [level.unflatten(0, grid) for level, grid in zip(levels, grids, strict=True)]
            for levels in output.deepstack_features
        ]

    def pack(self, grids: Sequence[VideoGrid]) -> Any:
        from transformers.models.qwen3_vl.modeling_qwen3_vl import BaseModelOutputWithDeepstackFeatures

        return BaseModelOutputWithDeepstackFeatures(
            pooler_output=tuple(grid.tokens.flatten(0, 2) for grid in grids),
            deepstack_features=[
                [level.flatten(0, 2) for level in levels]
                for levels in zip(*(grid.deepstack for grid in grids), strict=True)
            ],
        )


class LlavaOnevision(Family):
    """LLaVA-OneVision: one run a video, a newline token at its end."""

    tail = 1

    def encode(self, model: Any, inputs: Inputs, frames: Sequence[int]) -> list[VideoGrid]:
        pixels = inputs["pixel_values_videos"]  # [V, T, 3, S, S]
        output = plain_model(model).get_video_features(pixels, return_dict=True).pooler_output
        return [
            VideoGrid(_square(tokens[:-1].unflatten(0, (pixels.shape[1], -1))), tail=tokens[-1:].clone())
            for tokens in output
        ]

    def pack(self, grids: Sequence[VideoGrid]) -> Any:
        rows = []
        for grid in grids:
            assert grid.tail is not None
            rows.append(torch.cat([grid.tokens.flatten(0, 2), grid.tail]))
        return BaseModelOutputWithPooling(pooler_output=torch.cat(rows)[None])


class InternVL(Family):
    """InternVL: frames are images with a run each; the frames of a row are one video."""

    runs: Literal["one", "frame"] = "frame"
    kept: Literal["first", "leading"] = "leading"
    modality: Literal["video", "image"] = "image"

    def encode(self, model: Any, inputs: Inputs, frames: Sequence[int]) -> list[VideoGrid]:
        output = plain_model(model).get_image_features(inputs["pixel_values"], return_dict=True)
        return [VideoGrid(_square(tokens)) for tokens in output.pooler_output.split(list(frames))]

    def pack(self, grids: Sequence[VideoGrid]) -> Any:
        return BaseModelOutputWithPooling(
            pooler_output=torch.cat([grid.tokens.flatten(1, 2) for grid in grids])
        )


class LlavaNextVideo(Family):
    """LLaVA-NeXT-Video: one run a video."""

    def encode(self, model: Any, inputs: Inputs, frames: Sequence[int]) -> list[VideoGrid]:
        pixels = inputs["pixel_values_videos"]  # [V, T, 3, S, S]
        output = plain_model(model).get_video_features(pixels, return_dict=True).pooler_output
        # [T * n, D] a video, in earlier releases [T, n, D].
        shape = (pixels.shape[1], -1, output[0].shape[-1])
        return [VideoGrid(_square(tokens.reshape(shape))) for tokens in output]

    def pack(self, grids: Sequence[VideoGrid]) -> Any:
        return BaseModelOutputWithPooling(pooler_output=tuple(grid.tokens.flatten(1, 2) for grid in grids))


FAMILIES: dict[str, Family] = {
    "qwen2_5_vl": Qwen25VL(),
    "qwen3_vl": Qwen3VL(),
    "llava_onevision": LlavaOnevision(),
    "internvl": InternVL(),
    "llava_next_video": LlavaNextVideo(),
}


def family_of(model: Any) -> Family:
    """The family of a model.

    Raises:
        SlowPathError: one whose prompts are not known here. A slow path can be attached to it all the same,
            and given a `SlowContext` made by hand.
    """
    kind = getattr(plain_model(model).config, "model_type", "")
    if kind not in FAMILIES:
        raise SlowPathError(
            f"how a {kind or type(model).__name__} model writes videos into prompts is not known here.",
            hint=f"Known: {', '.join(sorted(FAMILIES))}. For others make a SlowContext yourself.",
        )
    return FAMILIES[kind]


def _square(tokens: torch.Tensor) -> torch.Tensor:
    """[T, h * h, D] -> [T, h, h, D]."""
    side = math.isqrt(tokens.shape[1])
    if side * side != tokens.shape[1]:
        raise PromptError(f"frames of {tokens.shape[1]} tokens are not square.")
    square: torch.Tensor = tokens.unflatten(1, (side, side))
    return square
