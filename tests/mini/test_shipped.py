"""The shipped models answer what they were trained for, and only by looking.

These go from the mp4 file to the letter: a mistake in decoding, sampling, resizing, pooling, cross-attention,
prompts or reading answers shows here as a drop in accuracy.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document
from sf_eval.data.kinds import kinds_of
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.inference.generation import generate_batch
from sf_eval.model.loading import LoadedModel
from sf_eval.model.modeling import VideoFeatures
from sf_eval.scoring.answers.extract import extract_answer
from sf_eval.scoring.intervals import interval95
from sf_eval.video import Clip, ClipLoader, SamplingRule

PINNED = Path(__file__).with_name("answers.json")
Pixels = NDArray[np.uint8]
MODELS = ("mini", "mini-16f", "mini-pooled")
BATCH = 12

# A fixed part of each benchmark: its first videos.
PART = {"videomme": 8, "mlvu": 6, "egoschema_subset": 6, "longvideobench": 6, "mvbench_action_count": 2,
        "mvbench_state_change": 2, "mvbench_moving_direction": 2}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A question of the part, its video and its kind."""

    document: Document
    path: Path
    group: str

    @property
    def key(self) -> str:
        return f"{self.document.video_id}/{self.document.id}"


@pytest.fixture(scope="module")
def part() -> list[Asked]:
    asked = []
    for name, videos in PART.items():
        opened = open_benchmark(get_benchmark(name), parse_source("mini"))
        kinds = kinds_of(opened)
        chosen = list(dict.fromkeys(document.video_id for document in opened.documents))[:videos]
        asked += [
            Asked(document, opened.media_path(document), kinds[document.index].group)
            for document in opened.documents
            if document.video_id in chosen and kinds[document.index].group in ("brief", "global")
        ]
    return asked


@pytest.fixture(scope="module")
def outputs(part: list[Asked], load) -> dict[str, list[str]]:
    """What each model says, and `mini` under three conditions that take the video away from it."""
    said = {}
    decoded: dict[tuple[int, float], dict[Path, Pixels]] = {}
    for name in MODELS:
        loaded = load(name)
        budget = (loaded.card.num_frames, loaded.card.target_fps)
        if budget not in decoded:  # two of the models are shown the same frames
            decoded[budget] = _decoded(SamplingRule("published", *budget), part)
        features = _watch(loaded, decoded[budget])
        said[name] = _answers(loaded, part, [features[item.path] for item in part])
        if name == "mini":
            others = dict(
                zip(features, [*list(features.values())[7:], *list(features.values())[:7]], strict=True)
            )
            said["other videos"] = _answers(loaded, part, [others[item.path] for item in part])
            said["text only"] = _answers(loaded, part, [None] * len(part))
            loaded.model.config.slow_path = "off"
            said["zeroed"] = _answers(loaded, part, [features[item.path] for item in part])
    return said


def _decoded(rule: SamplingRule, part: list[Asked]) -> dict[Path, Pixels]:
    with ClipLoader(rule, in_process=True) as loader:
        return {path: loader.load(Clip(path)).pixels for path in dict.fromkeys(item.path for item in part)}


def _watch(loaded: LoadedModel, decoded: dict[Path, Pixels]) -> dict[Path, VideoFeatures]:
    with torch.inference_mode():
        return {
            path: loaded.model.encode_video(loaded.processor.preprocess(pixels))
            for path, pixels in decoded.items()
        }


def _answers(loaded: LoadedModel, part: list[Asked], features: list[VideoFeatures | None]) -> list[str]:
    texts: list[str] = []
    for first in range(0, len(part), BATCH):
        prompts = [item.document.prompt for item in part[first : first + BATCH]]
        videos = features[first : first + BATCH]
        said = generate_batch(loaded, prompts=prompts, features=videos, max_new_tokens=[16] * len(prompts))
        texts += [one.text for one in said]
    return texts


def right(part: list[Asked], said: list[str], group: str) -> list[tuple[str, bool]]:
    """(video, right or wrong) of each question of a group."""
    return [
        (str(item.path), extract_answer(text, item.document.options) == item.document.answer)
        for item, text in zip(part, said, strict=True)
        if item.group == group
    ]


def percent(observed: list[tuple[str, bool]]) -> float:
    return 100 * sum(hit for _, hit in observed) / len(observed)


def chance(part: list[Asked], group: str) -> float:
    shares = [1 / len(item.document.options) for item in part if item.group == group]
    return 100 * sum(shares) / len(shares)


def test_every_answer_is_a_letter(outputs: dict[str, list[str]]) -> None:
    for name in MODELS:
        assert set(outputs[name]) <= set("ABCDE"), name


def test_the_slow_path_answers_what_16_frames_and_pooling_cannot(part, outputs) -> None:
    brief = {name: percent(right(part, outputs[name], "brief")) for name in MODELS}
    assert brief["mini"] >= 95, brief
    assert brief["mini"] > brief["mini-16f"] + 20, brief
    assert brief["mini"] > brief["mini-pooled"] + 20, brief


@pytest.mark.parametrize("name", MODELS)
def test_what_is_global_needs_no_slow_path(name: str, part, outputs) -> None:
    assert percent(right(part, outputs[name], "global")) >= 97


@pytest.mark.parametrize(
    ("condition", "groups"),
    [("zeroed", ("brief",)), ("text only", ("brief", "global")), ("other videos", ("brief", "global"))],
)
def test_without_what_shows_the_answer_it_is_at_chance(condition: str, groups, part, outputs) -> None:
    for group in groups:
        interval = interval95([right(part, outputs[condition], group)])
        assert interval is not None
        low, high = (100 * end for end in interval)
        assert low <= chance(part, group) <= high, (condition, group, interval)


def test_a_zeroed_slow_path_leaves_what_is_global(part, outputs) -> None:
    assert percent(right(part, outputs["zeroed"], "global")) >= 95


def test_the_shipped_models_answer_as_they_did(part: list[Asked], outputs: dict[str, list[str]]) -> None:
    """Exactly the same answers, on the CPU in float32; SF_EVAL_PIN=1 writes those of new weights down."""
    said = {name: {item.key: text for item, text in zip(part, outputs[name], strict=True)} for name in MODELS}
    assert len(said["mini"]) == len(part)
    if os.environ.get("SF_EVAL_PIN"):
        PINNED.write_text(json.dumps(said, indent=1) + "\n")
    assert said == json.loads(PINNED.read_text())
