"""The memory forecast against what the engine's own calls allocate, on the CPU."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sf_eval.core.cards import card_for
from sf_eval.inference import Answer, Question
from sf_eval.inference.chunks import frames_at_once
from sf_eval.inference.engine import Engine
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.question import QuestionKey
from sf_eval.model import SlowFastForConditionalGeneration, VideoFeatures
from sf_eval.model.loading import LoadedModel, count_parameters
from sf_eval.profiler.cost.memory import Serving, encoding_bytes, forecast
from sf_eval.profiler.cost.shape import ModelShape
from sf_eval.profiler.measured.pipeline import make_model
from sf_eval.profiler.measured.prompts import CountedPrompts
from sf_eval.profiler.profile import subject_of
from sf_eval.video import Clip, ClipPlan, Frames, VideoError, VideoInfo

from .live_bytes import LiveBytes
from .shapes import tiny

MEDIUM: dict[str, Any] = tiny(
    vocab_size=2000, hidden_size=256, intermediate_size=1024, num_hidden_layers=4, num_attention_heads=8,
    num_key_value_heads=2,
    vision_config={"depths": [2, 2, 3, 2], "hidden_sizes": [16, 32, 64, 128], "image_size": 128},
)  # fmt: skip
SLOW: dict[str, Any] = {**MEDIUM, "mm_video_pooling_stride": 1, "vision_config": {
    "depths": [1, 1, 1, 1], "hidden_sizes": [2, 4, 8, 16], "image_size": 128,
}}  # fmt: skip

WIDE_MLP: dict[str, Any] = {**SLOW, "intermediate_size": 8192, "num_hidden_layers": 2}
WIDE: dict[str, Any] = {**SLOW, "hidden_size": 2048, "intermediate_size": 64, "num_hidden_layers": 2}
SHORT: dict[str, Any] = {**WIDE, "fast_token_temporal_stride": 32, "min_fast_frames": 1}
"""Few of a video's tokens stand in a prompt: the prefixes of a batch are prefilled in one pass."""


@dataclass(frozen=True)
class Run:
    """What is asked of the engine, and which moment is to be the greediest."""

    config: dict[str, Any]
    serving: Serving
    greediest: str
    videos: int = 2


class UploadingModel(SlowFastVideoModel):
    """As on a GPU, the pixels are a copy of what the decoder gave."""

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> VideoFeatures:
        return super().encode(pixels.clone(), shown, chunk_frames=chunk_frames)


def model_of(config: dict[str, Any], serving: Serving) -> SlowFastForConditionalGeneration:
    dtype = torch.float32 if serving.value_bytes == 4 else torch.bfloat16
    return make_model(config, torch.device("cpu"), dtype, "sdpa")


def clip_of(video: int) -> Clip:
    return Clip(Path(f"video {video}"))


def peak_beyond_weights(model: SlowFastForConditionalGeneration, run: Run) -> int:
    """Of the engine, from frames in memory to the last answer."""
    serving = run.serving
    processor = CountedPrompts(
        tokens=serving.text_tokens,
        before_video=serving.before_video,
        vocab_size=model.config.vocab_size,
        image_size=model.config.vision_config.image_size,
    )
    card = replace(card_for("mini"), num_frames=serving.frames)
    video_model = UploadingModel(LoadedModel(model, processor, card, "", "", count_parameters(model)))
    engine = Engine(
        video_model,
        Squares(serving.frames, processor.image_size),
        batch_size=serving.batch_size,
        share=serving.share,
    )
    engine.chunk_frames = serving.chunk_frames
    questions = [
        Question(QuestionKey("memory", number), clip_of(number // serving.questions_per_video),
                 str(number), serving.new_tokens)
        for number in range(run.videos * serving.questions_per_video)
    ]  # fmt: skip
    with LiveBytes() as live:
        results = list(engine.answer(questions))
    assert all(isinstance(result, Answer) for result in results), results
    return live.peak


class Squares:
    """In the place of a `ClipPool`: pictures of the right size, at once."""

    def __init__(self, frames: int, side: int) -> None:
        self._pixels = np.zeros((frames, side, side, 3), dtype=np.uint8)

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]:
        count, side = self._pixels.shape[:2]
        places = tuple(range(count))
        for clip in clips:
            info = VideoInfo(clip.path, count, 1.0, float(count), side, side, "drawn")
            yield clip, Frames(self._pixels, places, tuple(map(float, places)), info, decode_s=0.0)


FLOAT = Serving(
    frames=8, batch_size=4, chunk_frames=4, text_tokens=40, new_tokens=2, questions_per_video=3, value_bytes=4
)


@pytest.mark.parametrize(
    "run",
    [
        Run(tiny(), replace(FLOAT, frames=24), "encoding"),
        Run(MEDIUM, FLOAT, "encoding"),
        pytest.param(
            Run(MEDIUM, replace(FLOAT, frames=24, batch_size=1, share=False), "encoding"),
            marks=pytest.mark.thorough,
        ),
        Run(WIDE_MLP, replace(FLOAT, frames=32, chunk_frames=2, batch_size=1), "prefix"),
        pytest.param(  # half precision by itself: with prompts below
            Run(WIDE, replace(FLOAT, frames=32, chunk_frames=2, batch_size=1, value_bytes=2), "prefix"),
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            Run(SHORT, replace(FLOAT, frames=32, chunk_frames=2, batch_size=8, questions_per_video=1,
                               value_bytes=2), "prefix", videos=8),
            marks=pytest.mark.thorough,
        ),
        Run(SLOW, replace(FLOAT, batch_size=6, chunk_frames=1, text_tokens=200), "prompts"),
        Run(SLOW, replace(FLOAT, batch_size=6, chunk_frames=1, text_tokens=200, share=False), "prompts"),
        Run(SLOW, replace(FLOAT, frames=24, batch_size=3, chunk_frames=1, share=False, value_bytes=2),
            "prompts"),
    ],
    ids=lambda run: f"{run.greediest}-{run.serving.batch_size}-{run.serving.value_bytes}-{run.serving.share}",
)  # fmt: skip
def test_the_forecast_is_within_15_percent_of_what_the_engine_allocates(run: Run) -> None:
    """Also without the weights, which would hide an error."""
    model = model_of(run.config, run.serving)
    shape = ModelShape.from_config(model.config.to_dict())
    parameters = sum(parameter.numel() for parameter in model.parameters())
    foreseen = forecast(shape, parameters, run.serving)
    measured = peak_beyond_weights(model, run)
    moments = {name: getattr(foreseen, name) for name in ("encoding", "prefix", "prompts", "decoding")}
    assert max(moments, key=lambda name: moments[name]) == run.greediest, moments
    assert foreseen.peak - foreseen.weights == pytest.approx(measured, rel=0.15)


@pytest.mark.thorough
def test_the_published_shape_on_meta() -> None:
    """32 frames of the 7B model, 16 at a time, without a GPU: no tensor of it holds data."""
    subject = subject_of(card_for("slowfast-7b-128f"))
    model = make_model(subject.config, torch.device("meta"), torch.bfloat16, "sdpa")
    pixels = torch.zeros(32, 3, 576, 576, dtype=torch.bfloat16, device="meta")
    with LiveBytes() as live, torch.inference_mode():
        model.encode_video(pixels, chunk_frames=16)
    given = 32 * 3 * 576 * 576
    in_tower = encoding_bytes(subject.shape, 32, 16) - given - 2 * given
    assert in_tower == pytest.approx(live.peak, rel=0.02)


def test_the_engine_gives_the_tower_as_many_frames_as_the_forecast_takes() -> None:
    told = []

    class Telling(UploadingModel):
        def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> VideoFeatures:
            told.append(chunk_frames)
            return super().encode(pixels, shown, chunk_frames=chunk_frames)

    model = model_of(tiny(), FLOAT)
    processor = CountedPrompts(tokens=20, before_video=14, vocab_size=101, image_size=128)
    loaded = LoadedModel(model, processor, card_for("mini"), "", "", 0)
    engine = Engine(Telling(loaded), Squares(2, 128))
    list(engine.answer([Question(QuestionKey("memory", 0), Clip(Path("video")), "", 1)]))
    assert told == [frames_at_once(128, "cpu")]
    assert frames_at_once(576, "cuda") == frames_at_once(576, "cpu") == 16


def test_what_is_shared_is_counted_once() -> None:
    shape, parameters = ModelShape.from_config(MEDIUM), 10**6
    own = forecast(shape, parameters, replace(FLOAT, batch_size=9, questions_per_video=1))
    shared = forecast(shape, parameters, replace(FLOAT, batch_size=9, questions_per_video=9))
    assert own.slow == 9 * forecast(shape, parameters, replace(FLOAT, batch_size=1)).slow
    assert shared.slow < own.slow
    assert shared.peak < own.peak
