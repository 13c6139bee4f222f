"""The memory forecast of other families' models against what the engine's own calls allocate, on the CPU."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_checkpoints import FAMILIES, make_checkpoint
from torchvision.transforms.v2.functional import _geometry
from transformers import AutoModelForImageTextToText

from sf_eval.core.cards import card_for
from sf_eval.core.errors import CheckpointError
from sf_eval.core.video_size import VideoSize
from sf_eval.harness.batching import fitting_batch_size, foreseen
from sf_eval.inference import Answer, Question
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import open_model, size_of
from sf_eval.inference.families.transformers_model import TransformersVideoModel
from sf_eval.inference.families.video_sizes import largest_video
from sf_eval.inference.question import QuestionKey
from sf_eval.model.attach import attach_slow_path, save_slow_path
from sf_eval.profiler.cost.family_memory import family_forecast
from sf_eval.profiler.cost.family_question import family_model
from sf_eval.profiler.cost.memory import MemoryForecast, Serving
from sf_eval.video import Clip, ClipPlan, Frames, VideoError, VideoInfo

from .live_bytes import LiveBytes
from .wide_families import Shape, wide_model

CODED = (60, 100)
POOLED = {"temporal_stride": 2, "spatial_stride": 2}
ATTACHED: dict[str, Any] = {"layers": (0, 2), **POOLED}
WIDE = Shape()
MOMENTS = ("encoding", "prefix", "prompts", "decoding")
ASKED_WORDS = "{number}: what is seen here, and when?"  # from the first word on, no two alike
ASKED = Serving(
    frames=8, batch_size=4, chunk_frames=4, text_tokens=0, new_tokens=3, questions_per_video=3, value_bytes=4
)


@dataclass(frozen=True)
class Case:
    """A model, and how it is asked."""

    name: str
    serving: Serving = ASKED
    shape: Shape = WIDE
    coded: tuple[int, int] = CODED
    model: tuple[tuple[str, Any], ...] = ()


CASES = (
    Case("plain"),
    Case("attached, half", replace(ASKED, value_bytes=2), model=(("attached", ATTACHED),)),
    Case("attached, unshared", replace(ASKED, share=False, batch_size=3), model=(("attached", ATTACHED),)),
)
MORE_CASES = (
    Case("plain, half", replace(ASKED, value_bytes=2)),
    Case("plain, unshared", replace(ASKED, share=False, batch_size=3)),
    Case("pooled", model=(("pooled", POOLED),)),
    Case("attached", model=(("attached", ATTACHED),)),
)


class Watched:
    """The model, with the peak of each of its calls; the pixels are a copy, as on a GPU."""

    def __init__(self, model: TransformersVideoModel, live: LiveBytes) -> None:
        self.model, self.live = model, live
        self.peaks = dict.fromkeys(MOMENTS, 0)
        self._moment = ""
        model.model.register_forward_pre_hook(self._step, with_kwargs=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode(self, pixels: torch.Tensor, shown: ClipPlan, *, chunk_frames: int) -> Any:
        self._begin("encoding")
        video = self.model.encode(pixels.clone(), shown, chunk_frames=chunk_frames)
        self._begin("")
        return video

    def prefixes(self, video: Any, texts: Any) -> Any:
        self._begin("prefix")
        prefixes = self.model.prefixes(video, texts)
        self._begin("")
        return prefixes

    def answer(self, asked: Any) -> Any:
        self._begin("prompts")
        answers = self.model.answer(asked)
        self._begin("")
        return answers

    def _step(self, _: Any, __: Any, given: dict[str, Any]) -> None:
        if given.get("input_ids") is not None and given["input_ids"].shape[1] == 1:
            self._begin("decoding")

    def _begin(self, moment: str) -> None:
        peak = self.live.take()
        if self._moment:
            self.peaks[self._moment] = max(self.peaks[self._moment], peak)
        self._moment = moment


class Noise:
    """In the place of a `ClipPool`: pictures of the right size, at once."""

    def __init__(self, frames: int, coded: tuple[int, int]) -> None:
        self._pixels = np.random.default_rng(0).integers(0, 256, (frames, *coded, 3), dtype=np.uint8)

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]:
        count, height, width = self._pixels.shape[:3]
        places = tuple(range(count))
        for clip in clips:
            info = VideoInfo(clip.path, count, 1.0, float(count), width, height, "drawn")
            yield clip, Frames(self._pixels, places, tuple(map(float, places)), info, decode_s=0.0)


def measured(model: TransformersVideoModel, case: Case) -> tuple[dict[str, int], Answer]:
    """The peak of each moment of the engine, from frames in memory to the last answer."""
    serving = case.serving
    with LiveBytes() as live:
        watched = Watched(model, live)
        engine = Engine(
            watched, Noise(serving.frames, case.coded), batch_size=serving.batch_size, share=serving.share
        )
        engine.chunk_frames = serving.chunk_frames
        clips = [Clip(Path(f"video {number // serving.questions_per_video}")) for number in range(6)]
        questions = [
            Question(
                QuestionKey("memory", number), clip, ASKED_WORDS.format(number=number), serving.new_tokens
            )
            for number, clip in enumerate(clips)
        ]
        results = list(engine.answer(questions))
    assert isinstance(results[0], Answer), results
    return watched.peaks, results[0]


def size_in(case: Case, model: TransformersVideoModel) -> VideoSize:
    size = largest_video(
        model.processor, model.writer, model.traits, model.rule, model.options, model._pooled, case.coded
    )
    assert size is not None
    return size


def foreseen_in(case: Case, model: TransformersVideoModel, size: VideoSize, text: int) -> MemoryForecast:
    """Without the weights, which would hide an error."""
    family = family_model(model.facts.config)
    assert family is not None
    forecast = family_forecast(
        family, 0, size, replace(case.serving, text_tokens=text), cpu_resizes_bytes=True
    )
    assert forecast is not None
    return forecast


# Each family in one case, and the first in some more; the whole matrix in thorough.
_EACH = [
    pytest.param(
        family,
        case,
        id=f"{family}-{case.name}",
        marks=() if case is CASES[0] or (family == FAMILIES[0] and case in CASES) else pytest.mark.thorough,
    )
    for family in FAMILIES
    for case in (*CASES, *MORE_CASES)
]


@pytest.mark.parametrize(("family", "case"), _EACH)
def test_every_moment_is_within_15_percent_of_what_the_engine_allocates(family: str, case: Case) -> None:
    dtype = torch.float32 if case.serving.value_bytes == 4 else torch.bfloat16
    model = wide_model(family, case.shape, case.serving.frames, dtype=dtype, **dict(case.model))
    peaks, answer = measured(model, case)
    size = size_in(case, model)
    assert (size.grid, size.visual_tokens) == (answer.visual_grid, answer.fast_tokens)
    text = answer.prompt_tokens - size.visual_tokens - size.text_tokens
    assert text == size.markup_after + len(model.processor.tokenizer.tokenize(ASKED_WORDS.format(number=0)))
    forecast = foreseen_in(case, model, size, text)
    assert forecast.peak == pytest.approx(max(peaks.values()), rel=0.15)
    for moment in MOMENTS:
        assert getattr(forecast, moment) == pytest.approx(peaks[moment], rel=0.15), moment
    assert (peaks["prefix"] > 0) == case.serving.share


@pytest.mark.parametrize("family", ["qwen2_5_vl", "llava_next_video"])
def test_pictures_that_are_resized_in_float32(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As torchvision does it on a GPU: here on the CPU, told to do likewise."""
    monkeypatch.setattr(_geometry, "_do_native_uint8_resize_on_cpu", lambda _: False)
    case = Case("large pictures", coded=(360, 640))
    model = wide_model(family, case.shape, case.serving.frames)
    with LiveBytes() as live:
        pixels, shown = torch.zeros(8, 360, 640, 3, dtype=torch.uint8), tuple(range(8))
        info = VideoInfo(Path("video"), 8, 1.0, 8.0, 640, 360, "drawn")
        model.encode(pixels, ClipPlan(info, shown, tuple(map(float, shown))), chunk_frames=4)
    config, size = model.facts.config, size_in(case, model)
    alone = replace(ASKED, batch_size=1)
    family_shape = family_model(config)
    assert family_shape is not None
    forecast = family_forecast(family_shape, 0, size, alone, cpu_resizes_bytes=False)
    as_bytes = family_forecast(family_shape, 0, size, alone, cpu_resizes_bytes=True)
    assert forecast is not None
    assert as_bytes is not None
    assert forecast.encoding == pytest.approx(live.peak, rel=0.15)
    assert as_bytes.encoding < 0.5 * forecast.encoding


@pytest.mark.parametrize("kind", ["plain", "attached"])
def test_a_checkpoint_says_before_its_weights_are_read_what_it_says_after(tmp_path: Path, kind: str) -> None:
    folder = make_checkpoint("qwen3_vl", tmp_path / "plain")
    if kind == "attached":
        whole = AutoModelForImageTextToText.from_pretrained(folder)
        folder = tmp_path / "attached"
        save_slow_path(attach_slow_path(whole, layers=(0, 2), **POOLED), folder)
    card = replace(card_for(str(folder)), num_frames=8)
    before, after = size_of(card), open_model(card, dtype="float32").facts.size
    assert (before.parameters, before.largest_video) == (after.parameters, after.largest_video)
    assert before.config is not None
    assert after.config is not None
    assert family_model(before.config) == family_model(after.config)
    forecast = foreseen(before, card, 2, 4, "cpu")
    assert forecast is not None
    assert forecast == foreseen(after, card, 2, 4, "cpu")
    assert (forecast.slow > 0) == (kind == "attached")
    assert fitting_batch_size(before, card, torch.device("cpu"), 4) == 16


@pytest.mark.parametrize("family", ["qwen3_vl", "generic"])
@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("processor_config.json", "{", "the processor in .* cannot be loaded: .*processor_config.json"),
        ("config.json", '{"model_type": TYPE, "text_config": 7}', "config.json describes no model: "),
        ("slow_path.json", "{", "slow_path.json: the file: Invalid JSON"),
    ],
)
def test_what_cannot_be_read_is_named_before_the_weights_are(
    tmp_path: Path, family: str, file: str, text: str, said: str
) -> None:
    folder = make_checkpoint(family, tmp_path / "broken")
    card = card_for(str(folder))
    kind = json.loads((folder / "config.json").read_text())["model_type"]
    (folder / file).write_text(text.replace("TYPE", json.dumps(kind)))
    with pytest.raises(CheckpointError, match=said):
        size_of(card)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"layers": [0, 99]}, r"has layers \[0, 99\], this model only 3 in all"),
        ({"layers": [-1]}, "layers.0: Input should be greater than or equal to 0"),
        ({"temporal_stride": 0}, "temporal_stride: Input should be greater than 0"),
        ({"base_class": "Another"}, "belongs to a Another "),
    ],
)
def test_a_slow_path_that_no_model_of_this_shape_has_is_refused_before_the_weights_are_read(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    base = make_checkpoint("qwen3_vl", tmp_path / "plain")
    whole = AutoModelForImageTextToText.from_pretrained(base)
    save_slow_path(attach_slow_path(whole, layers=(0, 2), **POOLED), tmp_path / "slow")
    path = tmp_path / "slow" / "slow_path.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    with pytest.raises(CheckpointError, match=said):
        size_of(card_for(str(tmp_path / "slow")))


def test_what_has_no_closed_form_has_no_forecast(tmp_path: Path) -> None:
    card = card_for(str(make_checkpoint("generic", tmp_path / "generic")))
    size = size_of(card)
    assert size.parameters is not None
    assert (foreseen(size, card, 1, 4, "cpu"), fitting_batch_size(size, card, torch.device("cpu"), 4)) == (
        None,
        None,
    )
    known = size_of(card_for(str(make_checkpoint("internvl", tmp_path / "internvl"))))
    assert known.config is not None
    mixture = {**known.config, "text_config": {**known.config["text_config"], "model_type": "qwen2_moe"}}
    assert foreseen(replace(known, config=mixture), card, 1, 4, "cpu") is None


def test_a_processor_that_cannot_run_leaves_a_model_that_loads_without_a_forecast(tmp_path: Path) -> None:
    folder = make_checkpoint("llava_onevision", tmp_path / "broken")
    settings = json.loads((folder / "processor_config.json").read_text())
    settings["video_processor"]["do_center_crop"] = True  # to no size
    (folder / "processor_config.json").write_text(json.dumps(settings))
    card = card_for(str(folder))
    assert size_of(card).largest_video is None
    facts = open_model(card, dtype="float32").facts
    assert facts.largest_video is None
    assert foreseen(facts.size, card, 1, 4, "cpu") is None
