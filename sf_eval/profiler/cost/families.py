"""Shapes of other families' 7B models. Plain integers, no torch."""

from __future__ import annotations

from dataclasses import dataclass

from sf_eval.profiler.cost.towers import PatchTower, QwenTower, Tower

SIDE = 448
"""Side in pixels of the frames that the Qwens are asked about; their processors take any size."""


@dataclass(frozen=True)
class DecoderShape:
    """A decoder of Qwen's kind: q, k, v, o projections, a gated MLP, logits.

    Attributes:
        context_tokens: `max_position_embeddings` of the released config.json.
    """

    layers: int
    hidden_size: int
    intermediate_size: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    context_tokens: int

    @property
    def attention_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        return self.kv_heads * self.head_dim


@dataclass(frozen=True)
class FamilyShape:
    """One released model.

    Attributes:
        name: what `sf-eval profile --model NAME+slow` takes.
        source: where the values were published.
        setting: how its processor sizes frames and how many tokens come of it.
        frames_per_unit: frames that share tokens (Qwen's temporal patch).
        grid: cells of a unit, height and width: its video tokens in the language model.
        tail: video tokens after the grids.
        tower: with projector and pooling.
    """

    name: str
    title: str
    source: str
    setting: str
    decoder: DecoderShape
    frames_per_unit: int
    grid: tuple[int, int]
    tail: int
    tower: Tower

    def units(self, frames: int) -> int:
        """An odd last frame is repeated by the processor, so it fills a unit of its own."""
        return -(-frames // self.frames_per_unit)

    def slow_grid(self, frames: int) -> tuple[int, int, int]:
        return self.units(frames), *self.grid

    def unit_macs(self) -> int:
        """Tower, projector and pooling for one unit."""
        unit = self.tower.unit(self.grid)
        assert unit is not None, self.name
        return unit.total

    def vision_macs(self, frames: int) -> int:
        return self.units(frames) * self.unit_macs()


# Two frames of 448: 32 x 32 patches of 14, windows of 8 x 8 of them, full attention in 4 of 32 layers.
_QWEN25 = QwenTower(1280, 3420, 32, 14, 2, 2, 3584, gated=True, full_layers=4, window=4)
# Two frames of 448: 28 x 28 patches of 16, full attention, mergers for the output and three depths.
_QWEN3 = QwenTower(1152, 4304, 27, 16, 2, 2, 4096, gated=False, full_layers=27, mergers=4)
# One frame of 384: 27 x 27 patches of 14, a two-layer projector on each, resampled to 14 x 14.
_SIGLIP = PatchTower(1152, 4304, 26, 14, 27, 0, 3584, "resampled")
# One frame of 448: 32 x 32 patches of 14 and a class token, 2 x 2 shuffled into one.
_INTERN = PatchTower(1024, 4096, 24, 14, 32, 1, 3584, "shuffled")

_QWEN2_7B = DecoderShape(28, 3584, 18944, 28, 4, 128, 152064, 128_000)

FAMILY_SHAPES = {
    shape.name: shape
    for shape in (
        FamilyShape(
            "qwen2.5-vl-7b",
            "Qwen2.5-VL 7B",
            "config.json of Qwen/Qwen2.5-VL-7B-Instruct; arXiv 2502.13923",
            "frames of 448 x 448 (within the bounds of its preprocessor_config.json), two a temporal patch: "
            "256 tokens for two frames",
            _QWEN2_7B,
            2,
            (16, 16),
            0,
            _QWEN25,
        ),
        FamilyShape(
            "qwen3-vl-8b",
            "Qwen3-VL 8B",
            "config.json of Qwen/Qwen3-VL-8B-Instruct; arXiv 2511.21631",
            "frames of 448 x 448 (within the bounds of its video_preprocessor_config.json), two a temporal "
            "patch: 196 tokens for two frames; the timestamps' text is among the text tokens",
            DecoderShape(36, 4096, 12288, 32, 8, 128, 151936, 262_144),
            2,
            (14, 14),
            0,
            _QWEN3,
        ),
        FamilyShape(
            "llava-onevision-7b",
            "LLaVA-OneVision 7B",
            "config.json of llava-hf/llava-onevision-qwen2-7b-ov-hf; arXiv 2408.03326",
            "every frame 384 x 384 as its preprocessor_config.json says: 196 tokens a frame, and one newline "
            "a video",
            DecoderShape(28, 3584, 18944, 28, 4, 128, 152064, 32_768),
            1,
            (14, 14),
            1,
            _SIGLIP,
        ),
        FamilyShape(
            "internvl3-8b",
            "InternVL3 8B",
            "config.json of OpenGVLab/InternVL3-8B-hf; arXiv 2504.10479",
            "every frame 448 x 448, one tile, as its preprocessor_config.json says: 256 tokens a frame; the "
            "frames' numbers are among the text tokens",
            DecoderShape(28, 3584, 18944, 28, 4, 128, 151674, 32_768),
            1,
            (16, 16),
            0,
            _INTERN,
        ),
    )
}
