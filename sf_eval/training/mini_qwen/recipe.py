"""What the tiny model is, and how much it is trained, in one place.

Shapes: P pairs of frames (the tower merges two into one), h x w cells of a pair, D width of the decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.training import recipe
from sf_eval.training.recipe import Budget

#: Raised with every change of what is trained or how: a training of another version is not continued.
VERSION = 1

#: Whose tokenizer and decoder it begins with, and whose tower its own learns from: a self-attention model of
#: pooled tokens, of the same shape (docs/mini.md).
BEGUN_FROM = "mini-pooled"

#: What it is pooled to, in training and wherever it stands for the pooled control: 4 pairs, 2 x 2 cells.
POOLING = SlowPathSettings((0, 2), temporal_stride=4, spatial_stride=2)

WIDTH = 96
PATCH, MERGE, PAIR = 8, 2, 2
MOST_PIXELS = 2048  # 32 x 48 or 48 x 32: six cells a pair of frames
CONTROL = ("<|vision_start|>", "<|vision_end|>", "<|video_pad|>", "<|image_pad|>")
CHAT_TEMPLATE = (
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_FULL = replace(
    recipe.BUDGETS["full"],
    videos=400,
    held_out=48,
    tower_frames=18,
    tower_epochs=14,
    language_steps=0,  # the decoder knows the questions already
    video_steps=200,
    batch_videos=12,
    questions=5,
)
BUDGETS: dict[str, Budget] = {
    "full": _FULL,
    # Shows that everything runs. What it makes has learned nothing.
    "small": replace(
        _FULL,
        name="small",
        videos=12,
        held_out=6,
        durations_s=(10, 12),
        tower_epochs=1,
        video_steps=4,
        batch_videos=2,
        questions=2,
    ),
}


def config(ids: Mapping[str, int]) -> dict[str, Any]:
    """Arguments of `Qwen2_5_VLConfig`.

    Args:
        ids: of the tokens in `CONTROL` and of "<|im_end|>".
    """
    text = recipe.config(recipe.VARIANTS[1])
    kept = (
        "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
        "max_position_embeddings", "rms_norm_eps",
    )  # fmt: skip
    # Of a head's 12 frequencies time has the four fastest, then height, then width, as in the released model.
    rope = {"rope_type": "default", "rope_theta": text["rope_theta"], "mrope_section": [4, 4, 4]}
    return {
        "text_config": {
            **{name: text[name] for name in kept},
            "vocab_size": text["vocab_size"] + len(CONTROL),
            "bos_token_id": None,
            "eos_token_id": ids["<|im_end|>"],
            "tie_word_embeddings": True,
            "rope_parameters": rope,
        },
        "vision_config": {
            "depth": 3, "hidden_size": 64, "intermediate_size": 128, "num_heads": 4, "patch_size": PATCH,
            "spatial_merge_size": MERGE, "temporal_patch_size": PAIR, "out_hidden_size": WIDTH,
            "window_size": PATCH * 8, "fullatt_block_indexes": [0, 1, 2], "tokens_per_second": 1,
        },
        "tie_word_embeddings": True,
        "video_token_id": ids["<|video_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
    }  # fmt: skip


_PAIRS = (64, 32, 64, 48, 64, 20, 64, 12)


def pairs_shown(step: int, budget: Budget) -> int:
    """Pairs of frames of a step's videos, all lengths by turns, the longest most often."""
    return min(_PAIRS[step % len(_PAIRS)], longest(budget))


def longest(budget: Budget) -> int:
    """Pairs of the longest videos."""
    return budget.longest // PAIR
