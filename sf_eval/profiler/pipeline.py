"""The stages of answering, each a function of the one before, over the real model.

The same weights serve slow-fast and its self-attention-only baseline: they differ in configuration keys that
the model reads at each call, and latency does not depend on the weights' values.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers.models.qwen2.modeling_qwen2 import Qwen2MLP, Qwen2RMSNorm

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.model import VIDEO_TOKEN_ID, SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.checkpoint import checked_attention
from sf_eval.model.loading import load_model
from sf_eval.model.preprocess import CLIP_MEAN, CLIP_STD, centre_square
from sf_eval.profiler.rows import Subject
from sf_eval.video import Clip, SamplingRule, load_clip

_SYSTEM_TOKENS = 14
"""Tokens of the published chat markup before the video."""

_FAST_PATH_KEYS = (
    "slow_path",
    "fast_token_temporal_sampling_stride",
    "fast_token_temporal_stride",
    "fast_token_spatial_stride",
    "min_fast_frames",
)


@dataclass(frozen=True)
class Ask:
    """One thing to measure: a subject at a number of frames in a batch of equal samples.

    Attributes:
        video: the clip; None where nothing can decode one.
        prompt_tokens: text tokens, the chat markup included.
    """

    subject: Subject
    frames: int
    batch_size: int
    prompt_tokens: int
    new_tokens: int
    video: Path | None


def make_model(
    config: dict[str, Any], device: torch.device, dtype: torch.dtype, attn: str
) -> SlowFastForConditionalGeneration:
    """The full size with seeded random weights, made on the device itself."""
    made = SlowFastConfig(**config)
    made._attn_implementation = checked_attention(attn)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            model = SlowFastForConditionalGeneration(made)
    finally:
        torch.set_default_dtype(before)
    model.eval()
    return model


def load(
    card: ModelCard, device: torch.device, dtype: torch.dtype, attn: str
) -> SlowFastForConditionalGeneration:
    """The card's weights.

    Raises:
        CheckpointError: there are none here; the hint names `--random-weights`.
    """
    try:
        return load_model(card, device=device, dtype=dtype, attn=attn).model
    except CheckpointError as error:
        raise CheckpointError(
            error.message, hint="Latency does not need them: add --random-weights."
        ) from error


def compile_model(model: SlowFastForConditionalGeneration, *, backend: str = "inductor") -> None:
    """Compile the tower, and the decoder layers' norms and MLPs, in place; the first calls then take long."""
    model.model.vision_tower.compile(backend=backend)
    compile_layers(model, backend=backend)


def compile_layers(model: SlowFastForConditionalGeneration, *, backend: str = "inductor") -> None:
    """Compile what is alike in every decoder layer, in place.

    A whole layer is not: its number is a constant in it, so each would be a graph of its own, and beyond
    torch's limit of 8 the others would run uncompiled without a word.
    """
    for module in model.model.layers.modules():
        if isinstance(module, (Qwen2MLP, Qwen2RMSNorm)):
            module.compile(backend=backend)


class Pipeline:
    """The stages, with the model set to one subject's configuration."""

    def __init__(self, model: SlowFastForConditionalGeneration, device: torch.device) -> None:
        self.model = model
        self.device = device
        self.dtype = model.lm_head.weight.dtype
        self.side = int(model.config.vision_config.image_size)

    @contextmanager
    def set_to(self, subject: Subject) -> Iterator[None]:
        """Give the model the subject's fast and slow path; put its own back afterwards.

        Raises:
            UsageError: the subject is not of the model's size.
        """
        config = self.model.config
        if not same_size(subject, config.to_dict()):
            raise UsageError(f"{subject.name} has another size: it cannot be measured with the same weights.")
        before = {key: getattr(config, key) for key in _FAST_PATH_KEYS}
        try:
            for key in _FAST_PATH_KEYS:
                setattr(config, key, subject.config.get(key, before[key]))
            yield
        finally:
            for key, value in before.items():
                setattr(config, key, value)

    def decode(self, ask: Ask) -> list[np.ndarray]:
        """uint8 [T, H, W, 3] a sample."""
        assert ask.video is not None
        rule = SamplingRule(kind="uniform", num_frames=ask.frames)
        return [load_clip(Clip(path=ask.video), rule).pixels for _ in range(ask.batch_size)]

    def resize(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """uint8 [T, S, S, 3] a sample, as the published preprocessing does it, on the CPU."""
        return [np.stack([centre_square(frame, self.side) for frame in video]) for video in frames]

    def upload(self, squares: list[np.ndarray]) -> list[torch.Tensor]:
        """Bytes to the device and normalised there: [T, 3, S, S] a sample."""
        mean = torch.tensor(CLIP_MEAN, device=self.device).view(3, 1, 1)
        std = torch.tensor(CLIP_STD, device=self.device).view(3, 1, 1)
        pixels = []
        for video in squares:
            on_device = torch.from_numpy(video).to(self.device).permute(0, 3, 1, 2).float() / 255
            pixels.append(((on_device - mean) / std).to(self.dtype))
        return pixels

    def vision(self, pixels: list[torch.Tensor]) -> list[Any]:
        """Tower, projector and pooling: features a sample."""
        return [self.model.encode_video(video) for video in pixels]

    def prompt(self, ask: Ask) -> torch.Tensor:
        """Ids [B, text + 1], the placeholder after the chat markup; on the CPU, where it is looked for."""
        before = min(_SYSTEM_TOKENS, ask.prompt_tokens // 2)
        ids = torch.arange(ask.prompt_tokens) % min(1000, self.model.config.vocab_size)
        place = torch.tensor([VIDEO_TOKEN_ID])
        return torch.cat([ids[:before], place, ids[before:]]).repeat(ask.batch_size, 1)

    def prefill(self, ask: Ask, features: list[Any]) -> tuple[torch.Tensor, Any]:
        """The first new token [B, 1] and the cache."""
        output = self.model(
            input_ids=self.prompt(ask), video_features=features, use_cache=True, logits_to_keep=1
        )
        return output.logits[:, -1:].argmax(-1), output.past_key_values

    def decode_tokens(self, first: torch.Tensor, cache: Any, steps: int) -> torch.Tensor:
        """`steps` greedy steps; the last token [B, 1]."""
        token = first
        for _ in range(steps):
            output = self.model(input_ids=token, past_key_values=cache, use_cache=True, logits_to_keep=1)
            token = output.logits[:, -1:].argmax(-1)
        return token

    def first_token(self, ask: Ask, frames: list[np.ndarray] | None) -> torch.Tensor:
        """From the file (or from `frames` in memory) to the first token, without instruments."""
        decoded = self.decode(ask) if frames is None else frames
        first, _ = self.prefill(ask, self.vision(self.upload(self.resize(decoded))))
        return first

    def answer(self, ask: Ask, frames: list[np.ndarray] | None) -> torch.Tensor:
        """From the file (or from `frames` in memory) to the last token, by the model's own `generate`."""
        decoded = self.decode(ask) if frames is None else frames
        features = self.vision(self.upload(self.resize(decoded)))
        ids: torch.Tensor = self.model.generate(
            self.prompt(ask),
            video_features=features,
            max_new_tokens=ask.new_tokens,
            min_new_tokens=ask.new_tokens,
            do_sample=False,
        )
        return ids


def same_size(subject: Subject, config: dict[str, Any]) -> bool:
    """Whether the two differ at most in what the fast and slow path look at."""
    other = Subject("", "", {**config, **{key: subject.config.get(key) for key in _FAST_PATH_KEYS}}, 1)
    return subject.shape == other.shape
