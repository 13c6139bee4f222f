"""What an engine needs of a model of any family: encode a video, prefill what its questions share, answer.

A family knows its own videos and prefixes; to the engine they are opaque.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sf_eval.core.resize import Resize


@dataclass(frozen=True, eq=False)
class Asked:
    """One prompt about one video.

    Attributes:
        text: the user's turn, without chat markup and without the video's placeholder.
        video: what `encode` gave; None asks without a video. Not needed beside a prefix.
        prefix: what `prefix` gave for its video: that is not prefilled again. None asks the whole prompt.
        max_new_tokens: limit of the answer in tokens.
    """

    text: str
    video: Any
    prefix: Any
    max_new_tokens: int


@dataclass(frozen=True)
class Generated:
    """The answer to one prompt; the two times are its batch's.

    Attributes:
        prompt_tokens: tokens in the language model: text and visual ones.
        visual_tokens: how many of them are visual.
        slow_tokens: visual tokens that are read beside the prompt, by cross-attention.
        new_tokens: generated ids, the one that ended the answer included.
        finish_reason: "stop" (end-of-turn token) or "length" (limit reached).
        finite: whether all logits were finite: otherwise the text is noise.
        prefill_s: seconds until the first token of all rows was known, without a shared prefix.
        generate_s: seconds from then until the last row was done.
    """

    text: str
    prompt_tokens: int
    visual_tokens: int
    slow_tokens: int
    new_tokens: int
    finish_reason: str
    finite: bool
    prefill_s: float
    generate_s: float


class VideoModel(Protocol):
    """A loaded model of some family.

    All methods may raise what `sf_eval.inference.device.is_out_of_memory` knows; the engine then asks for
    less.
    """

    @property
    def device(self) -> torch.device: ...

    @property
    def resize(self) -> Resize:
        """How pictures are brought to the size that `encode` takes; carried out where they are decoded."""

    def encode(self, pixels: torch.Tensor, *, chunk_frames: int) -> Any:
        """A video for `Asked.video` and `prefix`.

        Args:
            pixels: uint8 RGB [T, S, S, 3] on the device.
            chunk_frames: frames in the vision tower at a time; bounds the activations.
        """

    def prefix(self, video: Any) -> Any:
        """What every prompt about the video begins with, prefilled; many batches may share it.

        None if this model has no such thing: its prompts are then asked whole.
        """

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        """Answer greedily, as one batch; all with a prefix, or all without. Answers do not depend on the
        batch but for rounding."""
