"""What one question cost a model of another family, from its own configuration and what it was really shown.

The twin of `question.py`, for plain, pooled and attached models of the families in `_READERS`. Where a
configuration is not one that the closed form was held against, nothing is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sf_eval.core.cards import VISUAL_TOKENS
from sf_eval.profiler.cost.attached import decoder_macs, slow_path_macs
from sf_eval.profiler.cost.closed_form import Convention
from sf_eval.profiler.cost.families import DecoderShape
from sf_eval.profiler.cost.question import QuestionCost
from sf_eval.profiler.cost.towers import PatchTower, QwenTower, Tower

Grid = tuple[int, int, int]


@dataclass(frozen=True)
class FamilyModel:
    """A model of another family, as far as FLOPs depend on it.

    Attributes:
        levels: grids of tokens that are pooled alike: the output and those of other depths.
        tail: tokens of a video after its grid.
        temporal_stride, spatial_stride: as in `attach_slow_path`; 1 where nothing is pooled.
        hybrid_layers: those that read slow tokens; 0 for a plain or pooled model.
    """

    decoder: DecoderShape
    tower: Tower
    levels: int = 1
    tail: int = 0
    temporal_stride: int = 1
    spatial_stride: int = 1
    hybrid_layers: int = 0

    def cost(
        self,
        grid: Grid | None,
        visual_tokens: int,
        text_tokens: int,
        new_tokens: int,
        convention: Convention = Convention.HALVED,
    ) -> QuestionCost | None:
        """FLOPs of one question, asked alone; None where its video is not what the tower makes.

        Args:
            grid: of the tower's tokens before any pooling: units, height, width; None without a video.
            visual_tokens: of the video, in the prompt.
        """
        units, *cells = grid or (0, 0, 0)
        unit = self.tower.unit((cells[0], cells[1]))
        if grid is not None and (unit is None or visual_tokens != self.fast_tokens(grid) + self.tail):
            return None
        slow = units * cells[0] * cells[1] if self.hybrid_layers else 0
        cross = slow_path_macs(self.decoder, self.hybrid_layers, slow, text_tokens)
        prompt = visual_tokens + text_tokens
        prefill = decoder_macs(self.decoder, prompt, convention) + cross
        decode = self._decode(prompt, slow, max(new_tokens - 1, 0))
        vision = units * unit.tower if unit else 0
        projector = units * unit.projector if unit else 0
        pooling = (units * unit.pooling if unit else 0) + (self._pooling(grid) if grid else 0)
        return QuestionCost(
            vision_flops=2 * vision,
            projector_flops=2 * projector,
            pooling_flops=2 * pooling,
            prefill_flops=2 * prefill,
            cross_attention_flops=2 * cross,
            decode_flops=2 * decode,
            total_flops=2 * (vision + projector + pooling + prefill + decode),
        )

    def all_tokens(self, grid: Grid) -> int:
        """Visual tokens that a plain model would have in its prompt."""
        return grid[0] * grid[1] * grid[2] + self.tail

    def _windows(self, units: int) -> int:
        return max(units // self.temporal_stride, 1)

    def fast_tokens(self, grid: Grid) -> int:
        """Of the grid, those that are left in the prompt once they are pooled."""
        units, height, width = grid
        side = self.spatial_stride
        return self._windows(units) * (height // side) * (width // side)

    def _pooling(self, grid: Grid) -> int:
        """Averages over time, then over cells: one multiply-add a value read, as for slow-fast models."""
        units, height, width = grid
        stride = min(self.temporal_stride, units)
        reads = self._windows(units) * stride * height * width if stride > 1 else 0
        if self.spatial_stride > 1:
            reads += self.fast_tokens(grid) * self.spatial_stride**2
        return self.levels * reads * self.decoder.hidden_size

    def _decode(self, prompt: int, slow: int, steps: int) -> int:
        """`steps` steps after the prefill; each reads all keys before it, its own, and the slow ones."""
        decoder = self.decoder
        keys = steps * prompt + steps * (steps + 1) // 2
        # A prefill of one token is a step but for its attention: 2 A per key and layer.
        step = decoder_macs(decoder, 1, Convention.FULL) - decoder.layers * 2 * decoder.attention_width
        cross = 0
        if slow:
            cross = self.hybrid_layers * steps * (2 * slow + 1) * decoder.attention_width
        return steps * step + decoder.layers * 2 * keys * decoder.attention_width + cross


def family_model(config: Mapping[str, Any]) -> FamilyModel | None:
    """The model that a run's recorded `config` describes; None where its FLOPs have no closed form."""
    read = _READERS.get(str(config.get("model_type")))
    if read is None:
        return None
    try:
        decoder = _decoder(config["text_config"])
        shape = None if decoder is None else read(config, config["vision_config"], decoder)
        if shape is None:
            return None
        tokens = config[VISUAL_TOKENS]
        return FamilyModel(
            decoder=shape.decoder,
            tower=shape.tower,
            levels=shape.levels,
            tail=shape.tail,
            temporal_stride=tokens["temporal_stride"],
            spatial_stride=tokens["spatial_stride"],
            hybrid_layers=len(tokens["layers"]),
        )
    except (KeyError, TypeError):  # an earlier version's record, or another transformers' names
        return None


_GATED = {"qwen2", "qwen3", "llama", "qwen2_5_vl_text", "qwen3_vl_text"}


def _decoder(text: Mapping[str, Any]) -> DecoderShape | None:
    kinds = set(text.get("layer_types") or ())
    if text["model_type"] not in _GATED or kinds - {"full_attention"}:
        return None
    heads = text["num_attention_heads"]
    return DecoderShape(
        layers=text["num_hidden_layers"],
        hidden_size=text["hidden_size"],
        intermediate_size=text["intermediate_size"],
        heads=heads,
        kv_heads=text.get("num_key_value_heads") or heads,
        head_dim=text.get("head_dim") or text["hidden_size"] // heads,
        vocab_size=text["vocab_size"],
        context_tokens=text["max_position_embeddings"],
    )


def _qwen25(_: Mapping[str, Any], vision: Mapping[str, Any], decoder: DecoderShape) -> FamilyModel:
    tower = QwenTower(
        **_qwen(vision),
        gated=True,
        full_layers=len(vision["fullatt_block_indexes"]),
        window=vision["window_size"] // vision["spatial_merge_size"] // vision["patch_size"],
    )
    return FamilyModel(decoder, tower)


def _qwen3(_: Mapping[str, Any], vision: Mapping[str, Any], decoder: DecoderShape) -> FamilyModel:
    depths = len(vision["deepstack_visual_indexes"])
    tower = QwenTower(**_qwen(vision), gated=False, full_layers=vision["depth"], mergers=1 + depths)
    return FamilyModel(decoder, tower, levels=1 + depths)


def _qwen(vision: Mapping[str, Any]) -> dict[str, int]:
    return {
        "width": vision["hidden_size"],
        "mlp": vision["intermediate_size"],
        "layers": vision["depth"],
        "patch": vision["patch_size"],
        "frames": vision["temporal_patch_size"],
        "merge": vision["spatial_merge_size"],
        "out": vision["out_hidden_size"],
        "heads": vision["num_heads"],
    }


def _onevision(
    config: Mapping[str, Any], vision: Mapping[str, Any], decoder: DecoderShape
) -> FamilyModel | None:
    is_known = vision["model_type"] == "siglip_vision_model" and not vision.get("vision_use_head", True)
    if not (is_known and config["vision_feature_select_strategy"] == "full" and _one_layer(config)):
        return None
    return FamilyModel(decoder, _vit(vision, decoder, 0, "resampled"), tail=1)


def _internvl(
    config: Mapping[str, Any], vision: Mapping[str, Any], decoder: DecoderShape
) -> FamilyModel | None:
    is_known = vision["model_type"] == "internvl_vision" and config["downsample_ratio"] == 0.5
    if not (is_known and config["vision_feature_select_strategy"] == "default" and _one_layer(config)):
        return None
    return FamilyModel(decoder, _vit(vision, decoder, 1, "shuffled"))


def _next_video(
    config: Mapping[str, Any], vision: Mapping[str, Any], decoder: DecoderShape
) -> FamilyModel | None:
    is_known = vision["model_type"] == "clip_vision_model" and config["spatial_pool_mode"] == "average"
    if not (is_known and config["vision_feature_select_strategy"] == "default" and _one_layer(config)):
        return None
    return FamilyModel(decoder, _vit(vision, decoder, 1, "averaged", config["spatial_pool_stride"]))


def _one_layer(config: Mapping[str, Any]) -> bool:
    return isinstance(config["vision_feature_layer"], int)


def _vit(
    vision: Mapping[str, Any], decoder: DecoderShape, class_token: int, joint: str, stride: int = 2
) -> PatchTower:
    size, patch = _side(vision["image_size"]), _side(vision["patch_size"])
    return PatchTower(
        width=vision["hidden_size"],
        mlp=vision["intermediate_size"],
        layers=vision["num_hidden_layers"],
        patch=patch,
        side=size // patch,
        class_token=class_token,
        out=decoder.hidden_size,
        joint=joint,
        stride=stride,
        activation_copies=3 if vision["hidden_act"] == "quick_gelu" else 2,
    )


def _side(value: Any) -> int:
    """InternVL's configuration has height and width of what is a square."""
    if isinstance(value, (list, tuple)):
        if value[0] != value[1]:
            raise TypeError("not a square")
        return int(value[0])
    return int(value)


_READERS: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any], DecoderShape], FamilyModel | None]] = {
    "qwen2_5_vl": _qwen25,
    "qwen3_vl": _qwen3,
    "llava_onevision": _onevision,
    "internvl": _internvl,
    "llava_next_video": _next_video,
}
