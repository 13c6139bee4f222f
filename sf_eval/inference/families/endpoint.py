"""A model behind an OpenAI-compatible address (vLLM, SGLang, others): frames go there as JPEGs.

Nothing is known of it but what it says; nothing is sent to any address but the one that the user gives.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.core.chat import Reply
from sf_eval.core.errors import CheckpointError, UsageError, nearest
from sf_eval.inference.families.endpoint_client import EndpointClient
from sf_eval.inference.families.endpoint_settings import EndpointSettings, read_settings
from sf_eval.inference.families.jpeg import data_urls
from sf_eval.inference.family import Asked, Generated, ModelFacts, ModelSize, Refused, plain_rule
from sf_eval.video import ClipPlan, SamplingRule


@dataclass(frozen=True, eq=False)
class _Pictures:
    urls: tuple[str, ...]


class EndpointVideoModel:
    """A `VideoModel` by HTTP; the questions of a batch are asked at once."""

    resize = None
    device = torch.device("cpu")

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.client = EndpointClient(settings)

    @property
    def facts(self) -> ModelFacts:
        settings = self.settings
        known = {"base_url": settings.base_url, "model": settings.model}
        return ModelFacts(
            weights_digest=hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest(),
            revision="",
            parameters=0,
            dtype="",
            config={},
            question_bytes=None,
            notes=(
                f"Asked by HTTP at {settings.base_url}: which weights answer, in which precision and how "
                "they decode, only the server knows; temperature 0 was asked for.",
                f"Frames were sent as JPEGs of quality {settings.jpeg_quality}, at most {settings.max_side} "
                "pixels a side.",
                "FLOPs, visual tokens and the parts of the time that the server takes are not known.",
            ),
        )

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> _Pictures:
        urls = data_urls(pixels.numpy(), quality=self.settings.jpeg_quality, max_side=self.settings.max_side)
        return _Pictures(urls)

    def prefix(self, video: _Pictures | None) -> None:
        return None

    def prefixes(self, video: _Pictures | None, texts: Sequence[str]) -> list[None]:
        return [None] * len(texts)

    def answer(self, asked: Sequence[Asked]) -> list[Generated | Refused]:
        with ThreadPoolExecutor(max_workers=len(asked)) as pool:
            return list(pool.map(self._answer, asked))

    def _answer(self, item: Asked) -> Generated | Refused:
        start = time.perf_counter()
        urls = () if item.video is None else item.video.urls
        reply = self.client.ask(item.text, urls, item.max_new_tokens)
        if isinstance(reply, Refused):
            return reply
        return _generated(reply, time.perf_counter() - start)


def _generated(reply: Reply, seconds: float) -> Generated:
    return Generated(
        text=reply.text,
        prompt_tokens=reply.prompt_tokens,
        visual_tokens=None,
        slow_tokens=0,
        new_tokens=reply.new_tokens,
        finish_reason=reply.finish_reason,
        finite=True,
        prefill_s=0.0,
        generate_s=seconds,
    )


class EndpointFamily:
    """Models that somebody else serves."""

    def check(self, card: ModelCard) -> None:
        read_settings(card)
        if card.slow_path == "on" or not card.decode_slow_attention:
            raise UsageError(f"{card.name}: what an endpoint's model reads cannot be chosen here.")

    def check_weights(self, card: ModelCard) -> None:
        settings = read_settings(card)
        served = EndpointClient(settings).served()
        if served is not None and settings.model not in served:
            raise CheckpointError(
                f"{settings.base_url} does not serve {settings.model!r}.",
                hint=nearest(settings.model, served),
            )

    def rule(self, card: ModelCard) -> SamplingRule:
        if card.sampling == "family":
            return SamplingRule("uniform", card.num_frames)
        return plain_rule(card)

    def size(self, card: ModelCard) -> ModelSize:
        return ModelSize(None)

    def load(
        self,
        card: ModelCard,
        *,
        device: torch.device | str,
        dtype: torch.dtype | str | None,
        attn: str | None,
        revision: str | None,
    ) -> EndpointVideoModel:
        return EndpointVideoModel(read_settings(card))


FAMILY: Any = EndpointFamily()
