"""What is trained, on how much, in which order: models, budgets and lengths in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

Showing = Literal["eventful", "sixteen", "all"]

#: Raised with every change of what is trained or how: a training of another version is not continued.
VERSION = 3

IMAGE_SIZE = 64
VOCABULARY = 640
WATCHED_FRAMES = 128
FAST_FRAMES = 16


@dataclass(frozen=True)
class Variant:
    """One of the models that are compared.

    Attributes:
        num_frames: frames it is shown.
        slow_path: whether it has one.
        showing: which ticks of a training video it sees, see `stages.Stage`.
    """

    name: str
    num_frames: int
    slow_path: bool
    showing: Showing = "all"


#: The tested model, the baseline, and the control that tells the slow path from merely seeing more frames.
VARIANTS = (
    Variant("mini", WATCHED_FRAMES, slow_path=True),
    Variant("mini-16f", FAST_FRAMES, slow_path=False, showing="sixteen"),
    Variant("mini-pooled", WATCHED_FRAMES, slow_path=False),
)


@dataclass(frozen=True)
class Budget:
    """How much is trained.

    Attributes:
        videos, held_out: training videos, and others that a finished stage is examined with.
        durations_s: lengths of the videos, by turns: two frames a second, 128 in the longest.
        tower_frames: frames of a video that the tower learns from.
        language_steps: first stage of the decoder, shared by all variants: 16 frames, nothing pooled.
        video_steps: second stage, each variant by itself on what it will be shown.
        batch_videos, questions: a step asks `questions`, of different kinds, about each of `batch_videos`.
        auxiliary_weight: of the two auxiliary losses.
    """

    name: str
    videos: int = 1200
    held_out: int = 160
    durations_s: tuple[int, ...] = (10, 16, 24, 32, 40, 48, 56, 64, 64, 64)
    tower_frames: int = 14
    tower_epochs: int = 9
    tower_learning_rate: float = 4e-3
    language_steps: int = 1200
    video_steps: int = 600
    batch_videos: int = 16
    questions: int = 6
    learning_rate: float = 4e-3
    auxiliary_weight: float = 0.5

    @property
    def longest(self) -> int:
        """Frames of the longest videos."""
        return 2 * max(self.durations_s)


_FULL = Budget("full")
BUDGETS = {
    "full": _FULL,
    # Shows that everything runs, in a minute. What it makes has learned nothing.
    "small": replace(
        _FULL,
        name="small",
        videos=48,
        held_out=16,
        durations_s=(10, 12, 16),
        tower_epochs=2,
        language_steps=12,
        video_steps=40,
        batch_videos=4,
        questions=3,
    ),
}

_GROWTH = ((0.1, 24), (0.2, 40), (0.3, 64), (0.4, 96))
_MIXTURE = (128, 64, 128, 96, 128, 40, 128, 24)


def frames_shown(share: float, budget: Budget) -> int:
    """Frames of the videos at a share of the video stage.

    Few first, since one moment among few is found sooner; then all lengths by turns, the longest most often.
    """
    growing = next((frames for until, frames in _GROWTH if share < until), None)
    # A prime near the number of steps, so that each entry has its turn however many steps there are.
    wanted = growing or _MIXTURE[int(share * 997) % len(_MIXTURE)]
    return min(wanted, budget.longest)


def config(variant: Variant) -> dict[str, Any]:
    """The variant's config.json, in the published keys."""
    return {
        "architectures": ["LlavaQwenSlowFastForCausalLM"],
        "model_type": "llava_qwen_slow_fast",
        "vocab_size": VOCABULARY,
        "hidden_size": 96,
        "intermediate_size": 160,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tokenizer_model_max_length": 4096,
        "tokenizer_padding_side": "left",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float16",
        "mm_vision_tower": f"convnext-{IMAGE_SIZE}",
        "mm_hidden_size": 64,
        "mm_projector_type": "mlp2x_gelu",
        "mm_video_pooling_stride": 2,
        "vision_config": {
            "depths": [1, 1, 1, 1],
            "hidden_sizes": [16, 32, 48, 64],
            "layer_norm_eps": 1e-5,
            "image_size": IMAGE_SIZE,
        },
        "cross_attn_every_n_layers": 2 if variant.slow_path else None,
        "cross_attn_implementation": "text-only-vanilla",
        "cross_attn_gating_type": "whole-dynamic-tanh-warmup",
        "fast_token_spatial_stride": 1,
        "fast_token_temporal_stride": 4 if variant.num_frames > FAST_FRAMES else 1,
        "fast_token_temporal_sampling_stride": 2 if variant.num_frames > FAST_FRAMES else 1,
        "min_fast_frames": FAST_FRAMES,
        "num_frames": variant.num_frames,
    }
