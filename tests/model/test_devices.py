"""Inputs stay where a caller has them: the model may be on a GPU, ids and masks on the CPU.

The meta device stands for the GPU: tensors without data, but no operation takes one together with the CPU's.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sf_eval.core.cards import card_for
from sf_eval.model import VIDEO_TOKEN_ID, SlowFastForConditionalGeneration
from sf_eval.model.loading import build_on_meta

TEXT = torch.arange(1, 13).repeat(2, 1)
VIDEO = TEXT.clone()
VIDEO[:, 5] = VIDEO_TOKEN_ID
PADDED = torch.ones_like(TEXT)
PADDED[0, :3] = 0
FRAMES = 16


@pytest.fixture(scope="module")
def model() -> SlowFastForConditionalGeneration:
    # With sdpa, transformers looks whether a mask masks anything, which meta tensors cannot tell.
    return build_on_meta(card_for("mini"), attn="eager")


@pytest.mark.parametrize(
    "asked",
    [
        {"input_ids": TEXT},
        {"input_ids": TEXT, "attention_mask": PADDED},
        {"input_ids": TEXT, "position_ids": torch.arange(12).repeat(2, 1)},
        {"input_ids": VIDEO},
        {"input_ids": VIDEO, "attention_mask": PADDED},
    ],
    ids=lambda asked: "+".join(asked) + ("+video" if asked["input_ids"] is VIDEO else ""),
)
def test_ids_masks_and_positions_may_stay_on_the_cpu(
    asked: dict[str, torch.Tensor], model: SlowFastForConditionalGeneration
) -> None:
    features: Any = None
    with torch.no_grad():
        if asked["input_ids"] is VIDEO:
            features = [model.encode_video(torch.zeros(FRAMES, 3, 64, 64))] * 2
        output = model(**asked, video_features=features, use_cache=True)
        assert output.logits.device.type == "meta"
        length = output.logits.shape[1]
        assert length == 12 + (0 if features is None else features[0].fast_tokens.shape[0] - 1)
        if features is None:
            return
        following = model(input_ids=torch.tensor([[3], [4]]), past_key_values=output.past_key_values)
        assert following.logits.shape[:2] == (2, 1)
        whole = torch.ones(2, length + 2, dtype=torch.long)
        masked = model(
            input_ids=torch.tensor([[3], [4]]), attention_mask=whole, past_key_values=output.past_key_values
        )
        assert masked.logits.device.type == "meta"
