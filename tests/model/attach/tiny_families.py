"""Tiny random models of the five families, and batches of prompts as their processors lay them out.

A batch has two videos and, in the middle, a row of text alone; rows are padded on the left.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from transformers import (
    InternVLConfig,
    InternVLForConditionalGeneration,
    LlavaNextVideoConfig,
    LlavaNextVideoForConditionalGeneration,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

#: Of an attached slow path: layers 0 and 2 of 3, and what `Tiny.fast` counts.
STRIDES: dict[str, Any] = {"layers": [0, 2], "temporal_stride": 2, "spatial_stride": 2}
PAD, VIDEO, START, END, IMAGE = 0, 90, 91, 92, 93
Batch = dict[str, torch.Tensor]
_TEXT = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 512, "pad_token_id": PAD,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
_CLIP = {
    "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "patch_size": 4,
}  # fmt: skip
_MROPE = {"rope_theta": 10000.0, "rope_type": "default", "mrope_section": [2, 1, 1]}
_SIGLIP = {"model_type": "siglip_vision_model", "vision_use_head": False}


@dataclass(frozen=True)
class Tiny:
    """A family's tiny model and a batch for it.

    Attributes:
        slow: tokens of the two videos; fast: after 2 frames and 2 x 2 cells were averaged.
    """

    make: Callable[[], PreTrainedModel]
    batch: Callable[[], Batch]
    slow: tuple[int, int]
    fast: tuple[int, int]


def _rows(rows: list[list[int]]) -> Batch:
    length = max(map(len, rows))
    ids = torch.tensor([[PAD] * (length - len(row)) + row for row in rows])
    mask = torch.tensor([[0] * (length - len(row)) + [1] * len(row) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def _noise(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def _about(video: list[int], number: int) -> list[int]:
    return [5, 6 + number, *video, 9, 10 + number, 11, 12][: len(video) + 4 + 2 * number]


_WORDS = [3, 4, 5, 21, 22]


def _qwen25() -> PreTrainedModel:
    config = Qwen2_5_VLConfig(
        text_config={**_TEXT, "rope_parameters": _MROPE, "model_type": "qwen2_5_vl_text"},
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4,
            "out_hidden_size": 32, "window_size": 16, "fullatt_block_indexes": [1], "tokens_per_second": 2,
        },
        video_token_id=VIDEO, image_token_id=IMAGE, vision_start_token_id=START, vision_end_token_id=END,
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config)


def _qwen_batch(video: Callable[[int, int], list[int]]) -> Batch:
    grid = torch.tensor([[4, 8, 8], [6, 4, 8]])
    cells = [int(h) * int(w) // 4 for _, h, w in grid.tolist()]
    batch = _rows([_about(video(4, cells[0]), 0), _WORDS, _about(video(6, cells[1]), 1)])
    return {
        **batch,
        "mm_token_type_ids": 2 * (batch["input_ids"] == VIDEO).int(),
        "video_grid_thw": grid,
        "pixel_values_videos": _noise(int(grid.prod(1).sum()), 3 * 2 * 4 * 4),
    }


def _qwen25_batch() -> Batch:
    batch = _qwen_batch(lambda frames, cells: [START, *[VIDEO] * (frames * cells), END])
    return {**batch, "second_per_grid_ts": torch.tensor([1.0, 2.0])}


def _qwen3() -> PreTrainedModel:
    config = Qwen3VLConfig(
        text_config={
            **_TEXT, "head_dim": 8, "rope_parameters": {**_MROPE, "mrope_interleaved": True},
        },
        vision_config={
            "depth": 3, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "patch_size": 4,
            "out_hidden_size": 32, "deepstack_visual_indexes": [0, 1], "num_position_embeddings": 64,
        },
        video_token_id=VIDEO, image_token_id=IMAGE, vision_start_token_id=START, vision_end_token_id=END,
    )  # fmt: skip
    return Qwen3VLForConditionalGeneration(config)


def _qwen3_batch() -> Batch:
    def video(frames: int, cells: int) -> list[int]:
        stamped = [[30 + frame, START, *[VIDEO] * cells, END] for frame in range(frames)]
        return [token for frame in stamped for token in frame]

    return _qwen_batch(video)


def _onevision() -> PreTrainedModel:
    config = LlavaOnevisionConfig(
        text_config={**_TEXT, "model_type": "qwen2"},
        vision_config={**_CLIP, "image_size": 32, **_SIGLIP},
        video_token_index=VIDEO, image_token_index=IMAGE, video_token_id=VIDEO, image_token_id=IMAGE,
    )  # fmt: skip
    return LlavaOnevisionForConditionalGeneration(config)


def _onevision_batch() -> Batch:
    video = [VIDEO] * (4 * 16 + 1)
    return {
        **_rows([_about(video, 0), _WORDS, _about(video, 1)]),
        "pixel_values_videos": _noise(2, 4, 3, 32, 32),
    }


def _internvl() -> PreTrainedModel:
    config = InternVLConfig(
        text_config={**_TEXT, "model_type": "qwen2"},
        vision_config={**_CLIP, "image_size": [32, 32], "patch_size": [4, 4]},
        image_token_id=IMAGE,
    )
    return InternVLForConditionalGeneration(config)


def _internvl_batch() -> Batch:
    def video(frames: int) -> list[int]:
        return [token for frame in range(frames) for token in (30 + frame, START, *[IMAGE] * 16, END)]

    return {
        **_rows([_about(video(4), 0), _WORDS, _about(video(6), 1)]),
        "pixel_values": _noise(10, 3, 32, 32),
    }


def _next_video() -> PreTrainedModel:
    config = LlavaNextVideoConfig(
        text_config={**_TEXT, "model_type": "llama"},
        vision_config={**_CLIP, "image_size": 32, "model_type": "clip_vision_model", "projection_dim": 16},
        video_token_index=VIDEO, image_token_index=IMAGE, video_token_id=VIDEO, image_token_id=IMAGE,
        spatial_pool_stride=2,
    )  # fmt: skip
    return LlavaNextVideoForConditionalGeneration(config)


def _next_video_batch() -> Batch:
    video = [VIDEO] * (4 * 16)
    return {
        **_rows([_about(video, 0), _WORDS, _about(video, 1)]),
        "pixel_values_videos": _noise(2, 4, 3, 32, 32),
    }


FAMILIES = {
    "qwen2.5-vl": Tiny(_qwen25, _qwen25_batch, (64, 48), (2 * 4, 3 * 2)),
    "qwen3-vl": Tiny(_qwen3, _qwen3_batch, (64, 48), (2 * 4, 3 * 2)),
    "llava-onevision": Tiny(_onevision, _onevision_batch, (64, 64), (2 * 4 + 1, 2 * 4 + 1)),
    "internvl": Tiny(_internvl, _internvl_batch, (64, 96), (2 * 4, 3 * 4)),
    "llava-next-video": Tiny(_next_video, _next_video_batch, (64, 64), (2 * 4, 2 * 4)),
}


def tiny_model(name: str, dtype: torch.dtype = torch.float32, attention: str = "sdpa") -> PreTrainedModel:
    """The same weights for the same name, large enough that what is read shows in the logits."""
    torch.manual_seed(0)
    model = FAMILIES[name].make().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=parameter.shape[-1] ** -0.5)
    model.set_attn_implementation(attention)
    model.generation_config.eos_token_id = None
    return model.to(dtype)


def open_gates(model: Any, value: float = 0.7) -> None:
    """As if the slow path had learned something."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("slow_gate.warm_up"):
                parameter.fill_(value)
