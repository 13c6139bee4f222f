"""What the model hands to flash-attention, held on a CPU: shapes, masks and causality, not the kernel itself.

In the kernel's place stands a function that refuses what flash-attention refuses (the checks of transformers'
`flash_attention_forward` and of flash-attn's own) and computes the same by torch.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from sf_eval.model.loading import load_on_device
from sf_eval.verifying.model import RECORDED, read_record


class FlashInPlace:
    """Called as transformers calls flash-attention; notes who called it how."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, bool]] = []

    def __call__(
        self, module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor,
        attention_mask: torch.Tensor | None, dropout: float = 0.0, scaling: float | None = None,
        sliding_window: int | None = None, is_causal: bool | None = None, **kwargs: Any,
    ) -> tuple[torch.Tensor, None]:  # fmt: skip
        causal = bool(module.is_causal if is_causal is None else is_causal)
        batch, heads, length, width = query.shape
        kv_batch, kv_heads, kv_length, kv_width = key.shape
        assert 0 not in query.shape
        assert 0 not in key.shape
        assert key.shape == value.shape
        assert (kv_batch, kv_width) == (batch, width)
        assert heads % kv_heads == 0
        assert width % 8 == 0
        assert width <= 256
        assert query.stride(-1) == key.stride(-1) == value.stride(-1) == 1
        assert sliding_window is None
        assert attention_mask is None or attention_mask.shape == (batch, kv_length), "flash takes no 4-D mask"
        self.calls.append((type(module).__name__, causal))
        allowed = torch.ones(batch, 1, length, kv_length, dtype=torch.bool)
        if causal:  # aligned to the last key, as flash-attn 2.1 and later do
            allowed &= torch.ones(length, kv_length, dtype=torch.bool).tril(kv_length - length)
        if attention_mask is not None:
            allowed &= attention_mask.bool()[:, None, None, :]
        context = scaled_dot_product_attention(
            query, key, value, attn_mask=allowed, scale=scaling, enable_gqa=True
        ).nan_to_num()
        return context.transpose(1, 2).contiguous(), None


@pytest.mark.parametrize(
    "case",
    [
        "batch2_left_pad",
        "batch2_right_pad",
        "s1t4_f8",
        "masksystem",
        "layers_1_to_4",
        "image_single",
        "text_only",
    ],
)
def test_flash_attention_is_given_what_it_takes(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    record = read_record(RECORDED / case)
    model = load_on_device(RECORDED / case, device="cpu", dtype=torch.float32, attn="sdpa")
    frames = [record.get(f"pixel_values.{row}") for row in range(record["input_ids"].shape[0])]
    asked = {
        "input_ids": record["input_ids"],
        "attention_mask": record["attention_mask"],
        "pixel_values_videos": frames if any(item is not None for item in frames) else None,
    }
    flash = FlashInPlace()
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "flash_attention_2", flash)
    with torch.inference_mode():
        expected, greedy = model(**asked).logits, model.generate(**asked, max_new_tokens=4, do_sample=False)
        model.config._attn_implementation = "flash_attention_2"
        logits, flash_greedy = (
            model(**asked).logits,
            model.generate(**asked, max_new_tokens=4, do_sample=False),
        )
    real = record.get("embeds_mask", record["attention_mask"]).bool()
    torch.testing.assert_close(logits[real], expected[real], rtol=0, atol=1e-4)
    assert torch.equal(flash_greedy, greedy)
    assert {name for name, _ in flash.calls} >= {"HybridAttention", "Qwen2Attention"}
    has_video = case != "text_only"
    assert (("SlowAttentionCore", False) in flash.calls) is has_video
    assert ("SlowAttentionCore", True) not in flash.calls, "slow tokens are before every text token"
