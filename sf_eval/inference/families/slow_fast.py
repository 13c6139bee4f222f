"""The slow-fast model as the engine sees it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize
from sf_eval.inference.chunks import prefixes_at_once
from sf_eval.inference.device import keep_float32_exact
from sf_eval.inference.families.interleaving import interleaved, marked
from sf_eval.inference.family import TOWER, Asked, Generated, ModelFacts, ModelSize, plain_rule
from sf_eval.inference.generation import generate_batch
from sf_eval.inference.question import Said
from sf_eval.inference.shared_text import shared_lengths
from sf_eval.inference.waiting import synchronise
from sf_eval.model import VIDEO_TOKEN_ID, SlowFastForConditionalGeneration, checkpoint
from sf_eval.model.errors import PromptError
from sf_eval.model.loading import (
    LoadedModel,
    build_on_meta,
    config_for,
    count_parameters,
    load_model,
    weights_directory,
)
from sf_eval.model.looking import Look, look
from sf_eval.model.preprocess import normalise, resize_squares
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.model.shared_prefix import (
    Prefix,
    answer_suffixes,
    can_share_prefixes,
    prefill_prefix,
    prefill_prefixes,
    split_prompt,
)
from sf_eval.model.tokens import VideoFeatures
from sf_eval.video import ClipPlan, SamplingRule


@dataclass(eq=False)
class Beginning:
    """What some prompts begin with; prefilled when it is first asked with, at the latest.

    Attributes:
        ids: its tokens, with the video's placeholders.
        tokens: how many it has in the model, fast tokens included.
        prefilled: once it is.
        seconds: that it took in an `answer`: its part of those that were prefilled together.
    """

    ids: list[int]
    video: VideoFeatures | None
    tokens: int
    prefilled: Prefix | None = None
    seconds: float = 0.0

    @property
    def prefix(self) -> Prefix:
        assert self.prefilled is not None  # the model prefills before it reads this
        return self.prefilled


class SlowFastVideoModel:
    """A `VideoModel` around a loaded slow-fast model."""

    def __init__(self, loaded: LoadedModel, *, resize_on_device: bool = False) -> None:
        self.loaded = loaded
        self.postpones = True
        self.resize = None if resize_on_device else Resize(loaded.processor.image_size)
        keep_float32_exact(self.device, loaded.model.dtype)
        self._reads_slow = loaded.model.config.slow_path == "on"

    @property
    def device(self) -> torch.device:
        device: torch.device = self.loaded.model.device
        return device

    @property
    def facts(self) -> ModelFacts:
        loaded = self.loaded
        return ModelFacts(
            weights_digest=loaded.weights_digest,
            revision=loaded.revision,
            parameters=loaded.parameters,
            dtype=str(loaded.model.dtype).removeprefix("torch."),
            config=loaded.model.config.to_dict(),
            closed_form=True,
            text_before_video=self.loaded.processor.tokenize("")[0].tolist().index(VIDEO_TOKEN_ID),
            own={"resize": "device"} if self.resize is None else {},
            notes=loaded.notes,
        )

    @property
    def parts_to_compile(self) -> Mapping[str, torch.nn.Module]:
        return parts_to_compile(self.loaded.model)

    @torch.inference_mode()
    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> VideoFeatures:
        dtype = self.loaded.model.dtype
        # Chunk by chunk: float32 pixels of a long video would take four times the room of its bytes.
        normalised = torch.cat(
            [normalise(self._squares(chunk)).to(dtype) for chunk in pixels.split(chunk_frames)]
        )
        return self.loaded.model.encode_video(normalised.contiguous(), chunk_frames=chunk_frames)

    def interleaved(
        self, video: VideoFeatures, times_s: Sequence[float], said: Sequence[Said]
    ) -> tuple[VideoFeatures, str]:
        with_words = interleaved(video, self.loaded.model.config, times_s, said)
        return with_words, marked(with_words)

    def _squares(self, pictures: torch.Tensor) -> torch.Tensor:
        """As they are, where the decoder has resized them."""
        if self.resize is not None:
            return pictures
        return resize_squares(pictures, self.loaded.processor.image_size)

    def prefix(self, video: VideoFeatures | None) -> Beginning | None:
        if not can_share_prefixes(self.loaded.model):
            return None
        ids, _ = split_prompt(self._ids("", video))
        return self._prefilled_now(self._beginning(ids, video))

    def prefixes(self, video: VideoFeatures | None, texts: Sequence[str]) -> Sequence[Beginning | None]:
        if video is None or not can_share_prefixes(self.loaded.model):
            return [self.prefix(video)] * len(texts)  # without a video they have nothing in common
        prompts = [self._ids(text, video) for text in texts]
        ids, _ = split_prompt(prompts[0])
        before = self.loaded.model.prompt_length(torch.tensor(ids), video)
        lengths = shared_lengths([prompt[len(ids) :] for prompt in prompts], before)
        most = self.loaded.model.config.max_prompt_tokens - before
        shared = [
            tuple(prompt[: len(ids) + (length if length < most else 0)])  # too long: its answer will tell
            for prompt, length in zip(prompts, lengths, strict=True)
        ]
        begun = {one: self._beginning(list(one), video) for one in dict.fromkeys(shared)}
        for one in begun.values():
            # A video's only one may wait: the times of several would be mixed up (`Generated.prefix_s`).
            if not (self.postpones and len(begun) == 1 and prefixes_at_once(one.tokens) > 1):
                self._prefilled_now(one)
        return [begun[one] for one in shared]

    def _beginning(self, ids: list[int], video: VideoFeatures | None) -> Beginning:
        return Beginning(ids, video, self.loaded.model.prompt_length(torch.tensor(ids), video))

    def _prefilled_now(self, beginning: Beginning) -> Beginning:
        beginning.prefilled = prefill_prefix(self.loaded.model, beginning.ids, beginning.video)
        return beginning

    def _prefill(self, beginnings: Sequence[Beginning]) -> None:
        """All of them, those that nobody has prefilled yet together."""
        waiting = dict.fromkeys(one for one in beginnings if one.prefilled is None)
        for (tokens, _), alike in groupby(sorted(waiting, key=_lengths), key=_lengths):
            same = list(alike)
            at_once = prefixes_at_once(tokens)
            for first in range(0, len(same), at_once):
                self._prefill_together(same[first : first + at_once])

    def _prefill_together(self, waiting: Sequence[Beginning]) -> None:
        synchronise(self.device)
        start = time.perf_counter()
        prefixes = prefill_prefixes(self.loaded.model, [(one.ids, one.video) for one in waiting])
        synchronise(self.device)
        seconds = (time.perf_counter() - start) / len(waiting)
        for one, prefix in zip(waiting, prefixes, strict=True):
            one.prefilled, one.seconds = prefix, seconds

    def answer(self, asked: Sequence[Asked]) -> list[Generated]:
        if all(item.prefix is None for item in asked):
            return self._whole_prompts(asked)
        begun: list[Beginning] = [item.prefix for item in asked]
        self._prefill(begun)
        answers = answer_suffixes(
            self.loaded.model,
            [(one.prefix, self._suffix(item)) for one, item in zip(begun, asked, strict=True)],
            max_new_tokens=[item.max_new_tokens for item in asked],
            stop_ids=self.loaded.processor.eos_token_ids,
        )
        return [
            Generated(
                text=self.loaded.processor.decode(answer.token_ids),
                prompt_tokens=answer.prompt_tokens,
                visual_tokens=one.prefix.fast_tokens,
                slow_tokens=self._slow_tokens(item.video),
                new_tokens=answer.new_tokens,
                finish_reason=answer.finish_reason,
                finite=answer.finite,
                prefill_s=answer.first_token_s,
                generate_s=answer.later_tokens_s,
                prefix_s=one.seconds,
            )
            for item, one, answer in zip(asked, begun, answers, strict=True)
        ]

    def _suffix(self, asked: Asked) -> list[int]:
        """What follows the prompt's prefix.

        Raises:
            PromptError: it does not begin with it.
        """
        ids, begun = self._ids(asked.text, asked.video), asked.prefix.ids
        if ids[: len(begun)] != begun:
            raise PromptError("the prompt does not begin with its prefix.")
        return ids[len(begun) :]

    def look(self, asked: Asked) -> tuple[str, Look]:
        if asked.prefix is None:
            raise UsageError("a model with sliding-window attention does not tell where it looks.")
        self._prefill([asked.prefix])
        seen = look(
            self.loaded.model,
            asked.prefix.prefix,
            self._suffix(asked),
            max_new_tokens=asked.max_new_tokens,
            stop_ids=self.loaded.processor.eos_token_ids,
        )
        return self.loaded.processor.decode(seen.answer.token_ids), seen

    def _whole_prompts(self, asked: Sequence[Asked]) -> list[Generated]:
        results = generate_batch(
            self.loaded,
            prompts=[item.text for item in asked],
            features=[item.video for item in asked],
            max_new_tokens=[item.max_new_tokens for item in asked],
        )
        return [
            Generated(
                text=result.text,
                prompt_tokens=result.prompt_tokens,
                visual_tokens=0 if item.video is None else item.video.fast_tokens.shape[0],
                slow_tokens=self._slow_tokens(item.video),
                new_tokens=result.new_tokens,
                finish_reason=result.finish_reason,
                finite=result.finite,
                prefill_s=result.prefill_s,
                generate_s=result.generate_s,
            )
            for item, result in zip(asked, results, strict=True)
        ]

    def _ids(self, text: str, video: VideoFeatures | None) -> list[int]:
        words = ("", "") if video is None else video.words
        ids: list[int] = self.loaded.processor.tokenize(text, has_video=video is not None, words=words)[
            0
        ].tolist()
        return ids

    def _slow_tokens(self, video: VideoFeatures | None) -> int:
        return video.slow_tokens.shape[0] if video is not None and self._reads_slow else 0


def _lengths(beginning: Beginning) -> tuple[int, int]:
    """In the model, and as ids: words between the frames may make up for other runs of frames."""
    return beginning.tokens, len(beginning.ids)


def parts_to_compile(model: SlowFastForConditionalGeneration) -> dict[str, torch.nn.Module]:
    """The tower and every decoder layer."""
    layers = {f"decoder layer {index}": layer for index, layer in enumerate(model.model.layers)}
    return {TOWER: model.model.vision_tower, **layers}


class SlowFastFamily:
    """The slow-fast models and their self-attention-only baselines."""

    interleaves = True

    def check(self, card: ModelCard) -> None:
        if card.sampling == "family":
            raise UsageError(f"model card {card.name}: sampling 'family' is not for slow-fast models.")
        if unknown := set(card.options) - {"resize"}:
            raise UsageError(
                f"model card {card.name}: a slow-fast model has no option {min(unknown)!r}.",
                hint="It has resize; its other settings are keys of the card itself (docs/model_cards.md).",
            )
        if card.options.get("resize", "decoder") not in ("decoder", "device"):
            raise UsageError(
                f"model card {card.name}: resize is {card.options['resize']!r}.",
                hint="Use decoder or device.",
            )

    def check_weights(self, card: ModelCard) -> None:
        directory = weights_directory(card, without_weights=True)
        checkpoint.read_config(directory)
        if Path(card.weights).expanduser().is_dir():
            checkpoint.check_shards(directory)
        SlowFastProcessor.from_pretrained(directory)

    def rule(self, card: ModelCard) -> SamplingRule:
        return plain_rule(card)

    def size(self, card: ModelCard) -> ModelSize:
        return ModelSize(count_parameters(build_on_meta(card)), config_for(card).to_dict())

    def load(
        self,
        card: ModelCard,
        *,
        device: torch.device | str,
        dtype: torch.dtype | str | None,
        attn: str | None,
        revision: str | None,
    ) -> SlowFastVideoModel:
        loaded = load_model(card, device=device, dtype=dtype, attn=attn, revision=revision)
        return SlowFastVideoModel(loaded, resize_on_device=card.options.get("resize") == "device")


FAMILY = SlowFastFamily()
