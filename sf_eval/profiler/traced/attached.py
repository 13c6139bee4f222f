"""An attached slow path traced: transformers' own models on meta, `attach_slow_path` on them, FLOPs counted.

The twin of `cost/attached.py`. The language model is run on as many embeddings as the prompt has tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from sf_eval.model.attach import SlowContext, SlowVideo, attach_slow_path, detach_slow_path, has_slow_path
from sf_eval.profiler.cost.attached import EVERY_N_LAYERS, AttachedCost, Compression, attached_cost
from sf_eval.profiler.cost.closed_form import Convention
from sf_eval.profiler.cost.families import SIDE, FamilyShape
from sf_eval.profiler.traced.ops import AVERAGES, TraceError
from sf_eval.profiler.traced.others import QWEN2_7B, build_llava, build_qwen, encode_llava, qwen_places
from sf_eval.profiler.traced.trace import counting, module_macs, norms_of


@dataclass(frozen=True)
class Difference:
    """A part of which the closed form and the trace say different MACs."""

    part: str
    closed_form: int
    traced: int


@dataclass(frozen=True)
class _Twin:
    """How a family's model is built on meta, and its tower run on one unit of frames."""

    build: Callable[[], nn.Module]
    encode_unit: Callable[[Any], None]


def build(shape: FamilyShape) -> Any:
    """The family's model on meta: it holds no state but its shape."""
    return _TWINS[shape.name].build()


def differences(
    shape: FamilyShape, model: Any, frames: int, text_tokens: int, compressions: tuple[Compression, ...]
) -> list[Difference]:
    """Where the trace of `model` (from `build`) does not confirm the closed form; empty if nowhere.

    Attention is compared as the whole square, as FlopCounterMode counts it. One unit of frames is traced: no
    tower's attention reaches beyond.

    Raises:
        TraceError: the forward pass cannot be traced; the message says why.
    """
    found = []
    try:
        unit = traced_unit(shape, model)
        if unit != shape.unit_macs():
            found.append(Difference("vision of one unit", shape.unit_macs(), unit))
        for compression in compressions:
            wanted = attached_cost(shape, frames, text_tokens, compression, convention=Convention.FULL)
            seen = traced_prefill(model, wanted, compression)
            if seen != wanted.prefill:
                found.append(Difference(f"prefill at 1/{compression.inverse}", wanted.prefill, seen))
    except (NotImplementedError, RuntimeError, TypeError, ValueError) as error:
        raise TraceError(f"{shape.name} cannot be traced on meta: {error}") from error
    return found


def traced_unit(shape: FamilyShape, model: Any) -> int:
    """MACs of tower, projector and pooling for one unit of frames."""
    root = _Root(model, _TWINS[shape.name].encode_unit)
    with torch.no_grad(), counting(AVERAGES) as counter:
        root()
    # A norm's mean is no pooling: like every other norm's work it is not counted.
    return module_macs(counter, root="_Root.", uncounted=norms_of(root))[""]


def traced_prefill(model: Any, cost: AttachedCost, compression: Compression) -> int:
    """MACs of a prefill of so many tokens, as many of them querying as the prompt has text."""
    slow = _attached(model, cost, compression)
    positions = torch.arange(cost.prompt_tokens, device="meta")

    def prefill(model: Any) -> None:
        hidden = model.get_input_embeddings().weight.shape[1]
        model(
            inputs_embeds=torch.empty(1, cost.prompt_tokens, hidden, device="meta"),
            position_ids=positions[None],
            use_cache=True,
            logits_to_keep=1,
            **({} if slow is None else {"slow": slow}),
        )

    root = _Root(model, prefill)
    try:
        with torch.no_grad(), counting() as counter:
            root()
    finally:
        if has_slow_path(model):
            detach_slow_path(model)
    return module_macs(counter, root="_Root.", uncounted=norms_of(root))[""]


def _attached(model: Any, cost: AttachedCost, compression: Compression) -> SlowContext | None:
    if not compression.slow:
        return None
    attach_slow_path(
        model,
        every_n_layers=EVERY_N_LAYERS,
        temporal_stride=compression.temporal_stride,
        spatial_stride=compression.spatial_stride,
    )
    hidden = model.get_input_embeddings().weight.shape[1]
    tokens = torch.empty(cost.slow_tokens, hidden, device="meta")
    video = SlowVideo(tokens)  # a rotation multiplies elements alone: it is counted nowhere
    return SlowContext([video], [((0, cost.text_tokens),)], cost.prompt_tokens, keep=False)


class _Root(nn.Module):
    """One root above the model, so that the counter can name its modules."""

    def __init__(self, model: Any, run: Callable[[Any], None]) -> None:
        super().__init__()
        self.model = model
        self._run = run

    def forward(self) -> None:
        self._run(self.model)


def _encode_qwen25(model: Any) -> None:
    side = SIDE // 14
    pixels = torch.empty(side * side, 3 * 2 * 14 * 14, device="meta")
    model.model.visual(pixels, grid_thw=torch.tensor([[1, side, side]]), **qwen_places(model, (side, side)))


def _build_qwen3() -> nn.Module:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    config = Qwen3VLConfig(
        text_config={
            "vocab_size": 151936,
            "hidden_size": 4096,
            "intermediate_size": 12288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 1 << 24,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_interleaved": True,
                "mrope_section": [24, 20, 20],
                "rope_theta": 5000000.0,
            },
        },
        vision_config={
            "depth": 27,
            "hidden_size": 1152,
            "intermediate_size": 4304,
            "num_heads": 16,
            "patch_size": 16,
            "temporal_patch_size": 2,
            "spatial_merge_size": 2,
            "out_hidden_size": 4096,
            "num_position_embeddings": 2304,
            "deepstack_visual_indexes": [8, 16, 24],
        },
    )
    with torch.device("meta"):
        return Qwen3VLForConditionalGeneration(config).eval()  # type: ignore[no-any-return]


def _encode_qwen3(model: Any) -> None:
    """Places are worked out on the CPU by transformers' own functions, then moved beside the weights."""
    from transformers.models.qwen3_vl import modeling_qwen3_vl as qwen

    side = SIDE // 16
    grid = torch.tensor([[1, side, side]])
    visual = model.model.visual
    merge = visual.config.spatial_merge_size
    indices, weights = qwen.get_vision_interpolation_indices_and_weights(
        grid,
        num_grid_per_side=visual.num_grid_per_side,
        mode=visual.interpolation_mode,
        align_corners=visual.interpolation_align_corners,
        spatial_merge_size=merge,
        kwargs={},
    )
    places = qwen.get_vision_position_ids(grid, merge, kwargs={})
    visual(
        torch.empty(side * side, 3 * 2 * 16 * 16, device="meta"),
        grid_thw=grid,
        interp_indices=indices.to("meta"),
        interp_weights=weights.to("meta"),
        position_ids=places.to("meta"),
    )


def _build_internvl() -> nn.Module:
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    config = InternVLConfig(
        text_config={
            "model_type": "qwen2",
            **QWEN2_7B,
            "vocab_size": 151674,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
        },
        vision_config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "image_size": [448, 448],
            "patch_size": [14, 14],
        },
        image_token_id=151667,
    )
    with torch.device("meta"):
        return InternVLForConditionalGeneration(config).eval()  # type: ignore[no-any-return]


def _encode_internvl(model: Any) -> None:
    model.model.get_image_features(
        torch.empty(1, 3, SIDE, SIDE, device="meta"),
        vision_feature_layer=model.config.vision_feature_layer,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
    )


def _encode_onevision(model: Any) -> None:
    encode_llava(model, 1)


_TWINS = {
    "qwen2.5-vl-7b": _Twin(build_qwen, _encode_qwen25),
    "qwen3-vl-8b": _Twin(_build_qwen3, _encode_qwen3),
    "llava-onevision-7b": _Twin(build_llava, _encode_onevision),
    "internvl3-8b": _Twin(_build_internvl, _encode_internvl),
}
