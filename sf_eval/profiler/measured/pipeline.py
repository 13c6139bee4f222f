"""The engine's own stages, one after the other, and the engine itself: what `--measure` times.

A family's `VideoModel` encodes, prefills and answers, a `ClipPool`'s process decodes and resizes, and the
whole way is `Engine.answer`. The same weights serve slow-fast and its self-attention-only baseline: they
differ in configuration keys that the model reads at each call, and latency does not depend on the weights'
values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from sf_eval.core.cards import ModelCard
from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.core.resize import Resize
from sf_eval.inference import Answer, Failure, Question
from sf_eval.inference.chunks import CHUNK_FRAMES
from sf_eval.inference.engine import Engine
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.family import Asked, Generated, Refused
from sf_eval.inference.grouping import ClipSource
from sf_eval.inference.question import QuestionKey
from sf_eval.model import SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.checkpoint import checked_attention
from sf_eval.model.loading import LoadedModel, count_parameters, load_model
from sf_eval.profiler.measured.clip import StillSource
from sf_eval.profiler.measured.prompts import CountedPrompts
from sf_eval.profiler.rows import Subject
from sf_eval.video import Clip, ClipPlan, ClipPool, Frames, SamplingRule, VideoError

_FAST_PATH_KEYS = (
    "slow_path",
    "fast_token_temporal_sampling_stride",
    "fast_token_temporal_stride",
    "fast_token_spatial_stride",
    "min_fast_frames",
)


@dataclass(frozen=True)
class Ask:
    """One thing to measure: a subject at a number of frames, and a batch of equal questions.

    Attributes:
        shared: the questions are about one video, whose work is done once; else each has a video of its own.
        video: the clip; None where nothing can decode one.
        prompt_tokens: text tokens, the chat markup included.
        before_video: how many of them stand before the video.
        decode_slow_attention: whether decoding steps attend to slow tokens.
        beyond_context: the prompt is longer than the subject's context.
    """

    subject: Subject
    frames: int
    batch_size: int
    prompt_tokens: int
    new_tokens: int
    video: Path | None
    shared: bool = False
    before_video: int = 0
    decode_slow_attention: bool = True
    beyond_context: bool = False

    @property
    def videos(self) -> int:
        """How many are decoded and encoded."""
        return 1 if self.shared else self.batch_size


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


class Pipeline:
    """The model, set to one ask at a time, and the decoders; to be closed."""

    def __init__(
        self, model: SlowFastForConditionalGeneration, card: ModelCard, device: torch.device
    ) -> None:
        self.model = model
        self.card = card
        self.device = device
        self._pools: dict[int, ClipPool] = {}

    def close(self) -> None:
        """End the decoders."""
        for pool in self._pools.values():
            pool.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @contextmanager
    def set_to(self, ask: Ask) -> Iterator[Stages]:
        """Give the model the fast and slow path of the ask's subject; put its own back afterwards.

        Raises:
            UsageError: the subject is not of the model's size.
        """
        with configured(self.model, ask.subject, decode_slow_attention=ask.decode_slow_attention):
            loaded = LoadedModel(
                model=self.model,
                processor=CountedPrompts(
                    tokens=ask.prompt_tokens,
                    before_video=ask.before_video,
                    vocab_size=self.model.config.vocab_size,
                    image_size=self.model.config.vision_config.image_size,
                ),
                card=replace(self.card, num_frames=ask.frames),
                weights_digest="",
                revision="",
                parameters=count_parameters(self.model),
            )
            model = SlowFastVideoModel(loaded)
            yield Stages(ask, model, self._source(ask, model))

    def _source(self, ask: Ask, model: SlowFastVideoModel) -> ClipSource:
        if ask.video is None:
            return StillSource(ask.frames, Resize(model.loaded.processor.image_size))
        if ask.frames not in self._pools:
            # Nothing ahead: a stage is timed alone, and a batch from the file to its last token.
            rule = SamplingRule(kind="uniform", num_frames=ask.frames)
            self._pools[ask.frames] = ClipPool(rule, decoders=0, resize=model.resize)
        return self._pools[ask.frames]


class Stages:
    """What the engine does for one ask, a stage a method, and all of it."""

    def __init__(self, ask: Ask, model: SlowFastVideoModel, source: ClipSource) -> None:
        self.ask = ask
        self.model = model
        self.device = model.device
        self._source = source
        self._clip = Clip(ask.video or Path("frames in memory"))

    def frames(self) -> list[Frames]:
        """Decoded and resized in the decoder's process, once a video.

        Raises:
            VideoError: the clip cannot be decoded.
        """
        found = []
        for _, frames in self._source.in_order([self._clip] * self.ask.videos):
            if isinstance(frames, VideoError):
                raise frames
            found.append(frames)
        return found

    def upload(self, videos: Sequence[Frames]) -> list[torch.Tensor]:
        """uint8 [T, S, S, 3] on the device, one a video."""
        tensors = [torch.from_numpy(frames.pixels) for frames in videos]
        if self.device.type == "cuda":
            return [pixels.pin_memory().to(self.device, non_blocking=True) for pixels in tensors]
        return tensors

    def encode(self, videos: Sequence[Frames], pixels: Sequence[torch.Tensor]) -> list[Any]:
        """Normalised, through tower, projector and pooling."""
        return [
            self.model.encode(
                one, ClipPlan(frames.info, frames.indices, frames.times_s), chunk_frames=CHUNK_FRAMES
            )
            for frames, one in zip(videos, pixels, strict=True)
        ]

    def prefix(self, encoded: Sequence[Any]) -> Any:
        """What the questions about the one video begin with, prefilled."""
        (video,) = encoded
        return self.model.prefix(video)

    def answer(self, encoded: Sequence[Any], prefix: Any) -> Generated:
        """The whole batch's answer: its two times are all questions' together."""
        ask = self.ask
        videos = list(encoded) * ask.batch_size if ask.shared else encoded
        answers = self.model.answer([Asked("", video, prefix, ask.new_tokens) for video in videos])
        assert not isinstance(answers[0], Refused)
        return answers[0]

    def whole(self, new_tokens: int) -> list[Answer]:
        """The batch from the file (or from frames in memory) to its last token, as `sf-eval run` has it.

        Raises:
            UsageError: memory ran out, so that something smaller would have been measured.
        """
        ask = self.ask
        engine = Engine(self.model, self._source, batch_size=ask.batch_size, share=ask.shared)
        questions = [
            Question(QuestionKey("profile", number), self._clip, str(number), new_tokens)
            for number in range(ask.batch_size)
        ]
        answers = []
        for result in engine.answer(questions):
            if isinstance(result, Failure):
                raise _too_much(ask, result.reason)
            answers.append(result)
        if engine.degraded:
            raise _too_much(ask, engine.degraded[0])
        return answers


@contextmanager
def configured(
    model: SlowFastForConditionalGeneration, subject: Subject, *, decode_slow_attention: bool = True
) -> Iterator[None]:
    """Give the model the fast and slow path of a subject inside the block.

    Raises:
        UsageError: the subject is not of the model's size.
    """
    config = model.config
    if not same_size(subject, config.to_dict()):
        raise UsageError(f"{subject.name} has another size: it cannot be measured with the same weights.")
    before = {key: getattr(config, key) for key in (*_FAST_PATH_KEYS, "decode_slow_attention")}
    try:
        for key in _FAST_PATH_KEYS:
            setattr(config, key, subject.config.get(key, before[key]))
        config.decode_slow_attention = decode_slow_attention
        yield
    finally:
        for key, value in before.items():
            setattr(config, key, value)


def same_size(subject: Subject, config: dict[str, Any]) -> bool:
    """Whether the two differ at most in what the fast and slow path look at."""
    other = Subject("", "", {**config, **{key: subject.config.get(key) for key in _FAST_PATH_KEYS}}, 1)
    return subject.shape == other.shape


def _too_much(ask: Ask, reason: str) -> UsageError:
    return UsageError(
        f"{ask.subject.name} at {ask.frames} frames in a batch of {ask.batch_size} cannot be measured here: "
        f"{reason}",
        hint="Ask for fewer --frames or smaller --batch-sizes.",
    )
