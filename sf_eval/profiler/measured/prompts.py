"""Prompts of a given number of tokens, whatever the tokenizer: what is measured is not their words."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import torch

from sf_eval.model import VIDEO_TOKEN_ID
from sf_eval.model.processor import SlowFastProcessor


class CountedPrompts(SlowFastProcessor):
    """In the place of a checkpoint's processor; an answer ends at its limit alone.

    Prompts of other words differ from their first token after the video on: they share the video alone.

    Args:
        tokens: text tokens of every prompt, the chat markup included.
        before_video: how many of them stand before the video.
    """

    def __init__(self, *, tokens: int, before_video: int, vocab_size: int, image_size: int) -> None:
        self.image_size = image_size
        self.eos_token_ids = (vocab_size,)  # no such id is ever generated
        self.pad_token_id = 0
        self._tokens, self._before, self._vocabulary = tokens, before_video, min(1000, vocab_size)

    def decode(self, ids: Sequence[int] | torch.Tensor) -> str:
        return ""

    def _ids(self, prompt: str, words: Sequence[str] | None) -> list[int]:
        ids = [number % self._vocabulary for number in range(self._tokens)]
        if self._before < self._tokens:
            ids[self._before] = crc32(prompt.encode()) % self._vocabulary
        return [*ids[: self._before], VIDEO_TOKEN_ID, *ids[self._before :]] if words is not None else ids
