"""Any other image-text-to-text model of transformers whose processor takes videos: asked whole, one by one.

Nothing is shared between questions but decoding: what its model makes of a video, and where its tokens stand,
is not known here.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError
from sf_eval.inference.families import checkpoints
from sf_eval.inference.families.options import read_options
from sf_eval.inference.families.transformers_family import check_plain
from sf_eval.inference.families.transformers_video import metadata_of
from sf_eval.inference.family import Asked, Generated, ModelFacts, ModelSize, plain_rule
from sf_eval.inference.generation import FiniteCheck, Stopwatch
from sf_eval.inference.waiting import synchronise
from sf_eval.video import ClipPlan, SamplingRule

_NOTES = (
    "This kind of model is not known to sf-eval: every question runs the whole model on its video, nothing "
    "is shared, and a batch is asked one by one.",
    "A control token in a question is shown to the model with a space after its first character.",
)


@dataclass(frozen=True, eq=False)
class _Pictures:
    pixels: torch.Tensor  # uint8 [T, 3, H, W]
    shown: ClipPlan


class GenericVideoModel:
    """A `VideoModel` by `processor(...)` and `generate(...)` alone."""

    resize = None

    def __init__(self, loaded: checkpoints.Loaded) -> None:
        self.loaded, self.model, self.processor = loaded, loaded.model, loaded.processor
        added = {str(token) for token in self.processor.tokenizer.added_tokens_decoder.values()}
        named = sorted((token for token in added if len(token.strip()) > 1), key=len, reverse=True)
        self._control = re.compile("|".join(map(re.escape, named)) or r"(?!)")

    @property
    def device(self) -> torch.device:
        device: torch.device = self.model.device
        return device

    @property
    def facts(self) -> ModelFacts:
        processor = self.processor.video_processor.to_dict()
        return ModelFacts(
            weights_digest=self.loaded.digest,
            revision=self.loaded.revision,
            parameters=self.loaded.parameters,
            dtype=str(self.model.dtype).removeprefix("torch."),
            config={**self.model.config.to_dict(), "video_processor": processor},
            notes=(*self.loaded.notes, *_NOTES),
        )

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> _Pictures:
        return _Pictures(pixels.permute(0, 3, 1, 2), shown)

    def prefix(self, video: _Pictures | None) -> None:
        return None

    def prefixes(self, video: _Pictures | None, texts: Sequence[str]) -> list[None]:
        return [None] * len(texts)

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        return [self._answer(item) for item in asked]

    @torch.inference_mode()
    def _answer(self, item: Asked) -> Generated:
        synchronise(self.device)
        start = time.perf_counter()
        inputs = self._inputs(item)
        length = 0 if self.model.config.is_encoder_decoder else inputs["input_ids"].shape[1]
        stopwatch, finite = Stopwatch(self.device), FiniteCheck()
        output = self.model.generate(
            **inputs,
            do_sample=False,
            num_beams=1,
            use_cache=True,
            max_new_tokens=item.max_new_tokens,
            logits_processor=[finite],
            stopping_criteria=[stopwatch],
            eos_token_id=sorted(self.loaded.stop_ids) or None,
            pad_token_id=self.processor.tokenizer.pad_token_id or 0,
        )
        synchronise(self.device)
        end = time.perf_counter()
        assert stopwatch.first_token_at is not None
        assert finite.bad is not None
        new = output[0, length:].tolist()
        stopped = bool(new) and new[-1] in self.loaded.stop_ids
        return Generated(
            text=self.processor.tokenizer.decode(new, skip_special_tokens=True).strip(),
            prompt_tokens=int(inputs["input_ids"].shape[1]),
            visual_tokens=None,
            slow_tokens=0,
            new_tokens=len(new),
            finish_reason="stop" if stopped else "length",
            finite=not bool(finite.bad[0]),
            prefill_s=stopwatch.first_token_at - start,
            generate_s=end - stopwatch.first_token_at,
        )

    def _inputs(self, item: Asked) -> Any:
        question = self._control.sub(lambda match: f"{match.group()[0]} {match.group()[1:]}", item.text)
        content = [{"type": "text", "text": question}]
        if item.video is not None:
            content.insert(0, {"type": "video"})
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        start = self.processor.tokenizer.bos_token
        videos: dict[str, Any] = {}
        if item.video is not None:
            videos = {
                "videos": [item.video.pixels],
                "video_metadata": [metadata_of(item.video.shown)],
                "do_sample_frames": False,
            }
        inputs = self.processor(
            text=[text],
            add_special_tokens=not (start and text.startswith(start)),
            return_tensors="pt",
            **videos,
        )
        return inputs.to(self.device, self.model.dtype)


class GenericFamily:
    """Models that no other family knows."""

    def check(self, card: ModelCard) -> None:
        read_options(card, frozenset())
        check_plain(card)

    def check_weights(self, card: ModelCard) -> None:
        from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

        directory, config = checkpoints.read_config(card)
        kind = config.get("model_type")
        if kind not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
            raise CheckpointError(
                f"{directory / 'config.json'} describes a model of type {kind!r}; sf-eval evaluates "
                "slow-fast models and transformers' image-text-to-text models with videos (docs/families.md)."
            )
        checkpoints.check(card, None)

    def rule(self, card: ModelCard) -> SamplingRule:
        if card.sampling == "family":
            return SamplingRule("starts", card.num_frames)
        return plain_rule(card)

    def size(self, card: ModelCard) -> ModelSize:
        return ModelSize(checkpoints.count_parameters(card))

    def load(
        self,
        card: ModelCard,
        *,
        device: torch.device | str,
        dtype: torch.dtype | str | None,
        attn: str | None,
        revision: str | None,
    ) -> GenericVideoModel:
        loaded = checkpoints.load(card, device=device, dtype=dtype, attn=attn, revision=revision)
        return GenericVideoModel(loaded)


FAMILY = GenericFamily()
