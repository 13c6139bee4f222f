"""How an evaluation decodes is its own; what a checkpoint's settings ask for is said, and not done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from sf_eval.core.cards import card_for
from sf_eval.core.errors import CheckpointError
from sf_eval.core.paths import PACKAGE
from sf_eval.core.resize import Resize
from sf_eval.editions import mini_root
from sf_eval.inference import Answer, Failure, FailureKind, Question, QuestionKey
from sf_eval.inference.engine import Engine
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.video import Clip, ClipPool, SamplingRule

MINI = PACKAGE / "assets" / "mini"
IMAGE_SIZE = SlowFastProcessor.from_pretrained(MINI).image_size
Results = list[Answer | Failure]

ASKED: list[dict[str, Any]] = [
    {"num_beams": 4},
    {"num_beams": 3, "early_stopping": True, "length_penalty": 2.0},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    {"num_return_sequences": 2},
    {"do_sample": True, "temperature": 9.0, "top_k": 5, "top_p": 0.5},
    {"repetition_penalty": 1.05},
    {"no_repeat_ngram_size": 1},
    {"min_new_tokens": 6},
    {"suppress_tokens": list(range(0, 640, 2))},
    {"begin_suppress_tokens": list(range(0, 640, 2))},
    {"bad_words_ids": [[token] for token in range(0, 640, 2)]},
    {"forced_bos_token_id": 5},
    {"forced_eos_token_id": 5},
    {"exponential_decay_length_penalty": [1, 5.0]},
    {"stop_strings": ["."]},
    {"cache_implementation": "static"},
    {"cache_implementation": "quantized"},
    {"use_cache": False},
    {"return_dict_in_generate": True, "output_scores": True},
    {"prefill_chunk_size": 4},
    {"guidance_scale": 1.5},
    {"penalty_alpha": 0.6},
    {"prompt_lookup_num_tokens": 3},
    {"max_length": 4},
    {"max_new_tokens": 1},
    {"max_time": 0.000001},
    {"eos_token_id": [5]},
    {"watermarking_config": {"bias": 2.5}},
    {"num_beams": "four"},
    {"nobody_knows_this": 1},
]


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    (clip, *_) = sorted((mini_root(["videomme"]) / "videomme" / "data").iterdir())
    return [
        Question(QuestionKey("t", 1), Clip(clip), "Which colour does the disc have?\nA. Red.\nB. Blue.", 8),
        Question(QuestionKey("t", 2), Clip(clip), "What?\nA. One.\nB. Two.\nC. Three.", 8),
    ]


@pytest.fixture(scope="module")
def pool() -> Iterator[ClipPool]:
    resize = Resize(load_model(card_for("mini")).processor.image_size)
    with ClipPool(SamplingRule("uniform", 4), decoders=0, resize=resize) as pool:
        yield pool


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MINI, tmp_path / "checkpoint"))


def answers_of(loaded: LoadedModel, questions: list[Question], pool: ClipPool) -> Results:
    """In a batch of two; the words are the same whether a video's prefill is shared or prompts are whole."""
    model = SlowFastVideoModel(loaded)
    whole, shared = (
        list(Engine(model, pool, batch_size=2, share=share).answer(questions)) for share in (False, True)
    )
    assert words(whole) == words(shared)
    return whole


@pytest.fixture
def answered(
    checkpoint: Path, questions: list[Question], pool: ClipPool
) -> Callable[[], tuple[Results, tuple[str, ...]]]:
    """What the checkpoint answers, and the notes of its loading."""

    def answer() -> tuple[Results, tuple[str, ...]]:
        loaded = load_model(card_for(str(checkpoint)), dtype=torch.float32)
        return answers_of(loaded, questions, pool), loaded.notes

    return answer


def asking(checkpoint: Path, settings: dict[str, Any], *, name: str = "generation_config.json") -> None:
    path = checkpoint / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))


def words(results: Results) -> list[tuple[str, int, str]]:
    """Text, tokens and why it ended of every answer; a failure's kind and reason, which are none."""
    return [
        (one.kind.value, 0, one.reason)
        if isinstance(one, Failure)
        else (one.text, one.new_tokens, one.finish_reason)
        for one in results
    ]


@pytest.fixture(scope="module")
def plain(questions: list[Question], pool: ClipPool) -> list[tuple[str, int, str]]:
    loaded = load_model(card_for("mini"), dtype=torch.float32)
    assert loaded.notes == ()  # the shipped checkpoints ask for nothing else
    said = words(answers_of(loaded, questions, pool))
    assert {reason for _, _, reason in said} == {"stop"}
    return said


# Every third in `make test`: some of each kind. The others in thorough.
_FEW = [
    settings if number % 3 == 0 else pytest.param(settings, marks=pytest.mark.thorough)
    for number, settings in enumerate(ASKED)
]


@pytest.mark.parametrize("settings", _FEW, ids=lambda settings: "-".join(settings))
def test_a_checkpoints_settings_decide_nothing_and_are_said_in_one_line(
    checkpoint: Path, answered: Callable, plain: list[tuple[str, int, str]], settings: dict[str, Any]
) -> None:
    asking(checkpoint, settings)
    results, notes = answered()
    assert words(results) == plain
    (note,) = notes
    assert note.startswith("generation_config.json asks for ")
    assert all(f"{key}=" in note for key in settings)
    assert "\n" not in note


@pytest.mark.parametrize(
    "settings",
    [
        {"do_sample": False, "num_beams": 1, "temperature": 1.0, "top_k": 50, "top_p": 1.0},
        {"repetition_penalty": 1.0, "use_cache": True, "max_length": 20, "bad_words_ids": None},
        {"eos_token_id": 639, "pad_token_id": 0, "bos_token_id": 3, "transformers_version": "5.0.0"},
        {"return_dict_in_generate": False, "stop_strings": None, "suppress_tokens": []},
    ],
)
def test_what_is_done_anyway_is_no_note(checkpoint: Path, settings: dict[str, Any]) -> None:
    asking(checkpoint, settings)
    assert load_model(card_for(str(checkpoint))).notes == ()


def test_settings_in_config_json_decide_nothing_either(
    checkpoint: Path, answered: Callable, plain: list[tuple[str, int, str]]
) -> None:
    """Where there is no generation_config.json, transformers looks for them there."""
    (checkpoint / "generation_config.json").unlink()
    asking(checkpoint, {"num_beams": 4, "repetition_penalty": 1.3}, name="config.json")
    results, notes = answered()
    assert words(results) == plain
    assert [note.partition(";")[0] for note in notes] == [
        "config.json asks for num_beams=4, repetition_penalty=1.3"
    ]


def test_a_checkpoint_without_generation_settings(checkpoint: Path, answered: Callable, plain) -> None:
    (checkpoint / "generation_config.json").unlink()
    results, notes = answered()
    assert (words(results), notes) == (plain, ())


@pytest.mark.parametrize("text", ["[]", "{", "4"])
def test_generation_settings_that_cannot_be_read_are_one_line(checkpoint: Path, text: str) -> None:
    (checkpoint / "generation_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"generation_config\.json"):
        load_model(card_for(str(checkpoint)))


@pytest.mark.parametrize("settings", [{}, {"num_beams": 2}, {"num_return_sequences": 3, "num_beams": 3}])
def test_logits_that_are_not_finite_are_never_an_answer(
    checkpoint: Path, answered: Callable, settings: dict[str, Any]
) -> None:
    asking(checkpoint, settings)
    weights = load_file(checkpoint / "model.safetensors")
    weights["model.norm.weight"].fill_(torch.nan)
    save_file(weights, checkpoint / "model.safetensors", {"format": "pt"})
    results, _ = answered()
    assert [result.kind for result in results if isinstance(result, Failure)] == [FailureKind.MODEL_ERROR] * 2
    assert all("not finite" in result.reason for result in results if isinstance(result, Failure))
