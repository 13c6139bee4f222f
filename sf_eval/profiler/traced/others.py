"""Other video MLLMs of transformers, built from their published shapes on meta and traced like ours.

They have no closed form here: a row says "only traced". Frames and tokens are what their own video processors
make of a source of `SOURCE_SIZE` under the named setting; the text tokens are the profile's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from sf_eval.profiler.cost.closed_form import LanguageCost
from sf_eval.profiler.traced.ops import AVERAGES, TraceError
from sf_eval.profiler.traced.trace import counting, language_cost, module_macs, norms_of

SOURCE_SIZE = (720, 1280)
"""Height and width in pixels of the source that processors with a dynamic resolution are asked about."""

_MERGED = 28
"""Pixels a side of one visual token of Qwen2.5-VL: a patch of 14, 2 x 2 merged."""


@dataclass(frozen=True)
class PixelLimits:
    """Bounds of Qwen2.5-VL's video processor on the pixels of one frame, and on those of a whole video.

    Attributes:
        least, most: pixels per frame.
        tokens_per_video: each frame may have an even share of that many tokens' pixels, as qwen-vl-utils and
            transformers' `cap_pixels_per_frame` do it, but at least 1.05 `least`.
    """

    least: int
    most: int
    tokens_per_video: int = 115_200  # 0.9 of the 128,000 that both take for the model's context

    def most_for(self, frames: int) -> int:
        """Pixels that a frame may have in a video of `frames` frames, two of which share their tokens."""
        share = self.tokens_per_video * _MERGED**2 * 2 // frames
        return max(min(self.most, share), int(self.least * 1.05))


# Qwen2VLVideoProcessor's own `size`, which is also VIDEO_MIN_PIXELS and VIDEO_MAX_PIXELS of qwen-vl-utils.
CLASS_DEFAULT = PixelLimits(least=128 * _MERGED**2, most=768 * _MERGED**2)
# preprocessor_config.json of Qwen/Qwen2.5-VL-7B-Instruct: min_pixels 3136, max_pixels 12845056.
RELEASED = PixelLimits(least=4 * _MERGED**2, most=16384 * _MERGED**2)

# Qwen2-7B, the LLM of both (the same as slow-fast's): config.json of Qwen/Qwen2-7B-Instruct.
QWEN2_7B = {
    "vocab_size": 152064,
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 1 << 24,
}


@dataclass(frozen=True)
class OtherModel:
    """A model that can be profiled by its configuration.

    Attributes:
        source: where the values of its configuration were published.
        setting: how its processor sizes frames, in a sentence.
        context_tokens: longest prompt, its config.json's `max_position_embeddings`.
        build: makes the model on meta.
        encode: runs tower and projector for that many frames on the smallest unit that they treat apart;
            gives the visual tokens in the LLM and the number of such units.
        tower, projector: names of these modules in the model.
        kv_values: values a token leaves in the KV cache, all layers.
    """

    name: str
    title: str
    source: str
    build: Callable[[], nn.Module]
    encode: Callable[[Any, int], tuple[int, int]]
    tower: str
    projector: str
    setting: str
    context_tokens: int
    kv_values: int = 28 * 2 * 4 * 128


@dataclass(frozen=True)
class OtherCost:
    """Traced MACs (attention as the whole square) and tokens.

    Attributes:
        units: how many times the tower's smallest unit (a frame, or two that share tokens) was needed.
    """

    visual_tokens: int
    units: int
    vision: int
    projector: int
    pooling: int
    prefill: LanguageCost
    decode_step: LanguageCost


def other_names() -> list[str]:
    return sorted(_OTHERS)


def get_other(name: str) -> OtherModel:
    return _OTHERS[name]


def trace_other(other: OtherModel, model: Any, frames: int, text_tokens: int) -> OtherCost:
    """Trace the encoding of `frames` frames, the prefill and one decoding step of one sample.

    Raises:
        TraceError: the forward pass cannot be traced; the message says why.
    """
    run = _Traced(other, model)
    try:
        with counting(AVERAGES) as vision:
            visual_tokens, times = run("encode", frames)
        with counting() as prefill:
            cache = run("prefill", text_tokens + visual_tokens)
        with counting() as decode:
            run("step", text_tokens + visual_tokens, cache)
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        # transformers' forward is not ours; what it cannot do on meta is a finding, not a defect.
        raise TraceError(f"{other.name} cannot be traced on meta: {error}") from error
    # A norm's mean is no pooling: like every other norm's work it is not counted.
    counts = module_macs(vision, root="_Traced.", uncounted=norms_of(run))
    projector = counts[f"model.{other.projector}"]
    tower = counts[f"model.{other.tower}"]
    if other.projector.startswith(other.tower + "."):
        tower -= projector
    return OtherCost(
        visual_tokens=visual_tokens,
        units=times,
        vision=times * tower,
        projector=times * projector,
        pooling=times * (counts[""] - tower - projector),
        prefill=language_cost(_language_modules(prefill)),
        decode_step=language_cost(_language_modules(decode)),
    )


def _language_modules(counter: Any) -> Counter[str]:
    return module_macs(counter, root="_Traced.")


class _Traced(nn.Module):
    """One root above the model, as `trace.Run` is for ours."""

    def __init__(self, other: OtherModel, model: Any) -> None:
        super().__init__()
        self.model = model
        self._encode_video = other.encode

    def forward(self, stage: str, *args: Any) -> Any:
        with torch.no_grad():
            return getattr(self, f"_{stage}")(*args)

    def _encode(self, frames: int) -> tuple[int, int]:
        return self._encode_video(self.model, frames)

    def _prefill(self, length: int) -> Any:
        return self._language(length, torch.arange(length, device="meta"), None)

    def _step(self, length: int, cache: Any) -> Any:
        return self._language(1, torch.arange(length, length + 1, device="meta"), cache)

    def _language(self, length: int, positions: torch.Tensor, cache: Any) -> Any:
        hidden = self.model.get_input_embeddings().weight.shape[1]
        output = self.model(
            inputs_embeds=torch.empty(1, length, hidden, device="meta"),
            position_ids=positions[None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.past_key_values


def build_qwen() -> nn.Module:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    config = Qwen2_5_VLConfig(
        text_config={**QWEN2_7B, "rope_parameters": _MROPE},
        vision_config={
            "depth": 32,
            "hidden_size": 1280,
            "intermediate_size": 3420,
            "num_heads": 16,
            "patch_size": 14,
            "temporal_patch_size": 2,
            "spatial_merge_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [7, 15, 23, 31],
            "out_hidden_size": 3584,
        },
    )
    with torch.device("meta"):
        return Qwen2_5_VLForConditionalGeneration(config).eval()  # type: ignore[no-any-return]


_MROPE = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1000000.0}


def qwen_frame_size(limits: PixelLimits, frames: int) -> tuple[int, int]:
    """Height and width that a frame of a `SOURCE_SIZE` video of `frames` frames is resized to."""
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import smart_resize

    height, width = smart_resize(
        *SOURCE_SIZE, factor=_MERGED, min_pixels=limits.least, max_pixels=limits.most_for(frames)
    )
    return height, width


def _encode_qwen(model: Any, frames: int, *, limits: PixelLimits) -> tuple[int, int]:
    """Two frames make one temporal patch, and no attention in the tower crosses patches: one is traced."""
    vision = model.config.vision_config
    height, width = qwen_frame_size(limits, frames)
    grid = (height // vision.patch_size, width // vision.patch_size)
    patches = grid[0] * grid[1]
    values = 3 * vision.temporal_patch_size * vision.patch_size**2
    pixels = torch.empty(patches, values, device="meta")
    model.model.visual(pixels, grid_thw=torch.tensor([[1, *grid]]), **qwen_places(model, grid))
    # An odd last frame is repeated by the processor, so it fills a patch of its own.
    times = -(-frames // vision.temporal_patch_size)
    return times * patches // vision.spatial_merge_size**2, times


def qwen_places(model: Any, grid: tuple[int, int]) -> dict[str, torch.Tensor]:
    """Where patches are: worked out on the CPU by transformers' own functions, then moved beside the weights.

    Lengths of windows stay on the CPU: the forward pass reads them to split the sequence.
    """
    from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen

    vision = model.config.vision_config
    grid_thw = torch.tensor([[1, *grid]])
    window_index, lengths = qwen.get_vision_window_index(
        grid_thw,
        spatial_merge_size=vision.spatial_merge_size,
        window_size=vision.window_size,
        patch_size=vision.patch_size,
        kwargs={},
    )
    positions = qwen.get_vision_position_ids(grid_thw, vision.spatial_merge_size, kwargs={})
    return {
        "position_ids": positions.to("meta"),
        "window_index": window_index.to("meta"),
        "cu_window_seqlens": lengths,
    }


def build_llava() -> nn.Module:
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

    config = LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **QWEN2_7B, "rope_theta": 1000000.0},
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_hidden_layers": 26,
            "num_attention_heads": 16,
            "patch_size": 14,
            "image_size": 384,
            "vision_use_head": False,
        },
    )
    with torch.device("meta"):
        return LlavaOnevisionForConditionalGeneration(config).eval()  # type: ignore[no-any-return]


def encode_llava(model: Any, frames: int) -> tuple[int, int]:
    """384 x 384 a frame, 27 x 27 patches, resampled to 14 x 14; one newline token ends the video."""
    side = model.config.vision_config.image_size
    model.model.get_video_features(
        torch.empty(1, 1, 3, side, side, device="meta"),
        vision_feature_layer=model.config.vision_feature_layer,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
    )
    grid = -(-(side // model.config.vision_config.patch_size) // 2)
    return frames * grid * grid + 1, frames


def _qwen(name: str, title: str, limits: PixelLimits, whose: str) -> OtherModel:
    height, width = SOURCE_SIZE
    return OtherModel(
        name=name,
        title=title,
        source="config.json of Qwen/Qwen2.5-VL-7B-Instruct; arXiv 2502.13923",
        build=build_qwen,
        encode=partial(_encode_qwen, limits=limits),
        tower="model.visual",
        projector="model.visual.merger",
        setting=f"Source assumed {width} x {height}; {limits.least:,} to {limits.most:,} pixels per frame "
        f"({whose}), and at most {limits.tokens_per_video:,} tokens' worth of pixels per video",
        context_tokens=128_000,
    )


_OTHERS = {
    other.name: other
    for other in (
        _qwen(
            "qwen2.5-vl-7b",
            "Qwen2.5-VL 7B (720p source, default resolution of its video processor's class)",
            CLASS_DEFAULT,
            "the default of its video processor's class and of qwen-vl-utils",
        ),
        _qwen(
            "qwen2.5-vl-7b-released",
            "Qwen2.5-VL 7B (720p source, resolution of the released preprocessor_config.json)",
            RELEASED,
            "the released preprocessor_config.json",
        ),
        OtherModel(
            name="llava-onevision-7b",
            title="LLaVA-OneVision 7B",
            source="config.json of llava-hf/llava-onevision-qwen2-7b-ov-hf; arXiv 2408.03326",
            build=build_llava,
            encode=encode_llava,
            tower="model.vision_tower",
            projector="model.multi_modal_projector",
            setting="Every frame is resized to 384 x 384, whatever the source",
            context_tokens=32_768,
        ),
    )
}
