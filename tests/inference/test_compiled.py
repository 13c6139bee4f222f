"""`--compile`: all of a model runs compiled, and answers as before; or nothing is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sf_eval.core.cards import card_for
from sf_eval.core.errors import UsageError
from sf_eval.inference.compiled import compiled, compiled_model
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.family import Asked, Generated
from sf_eval.model.loading import LoadedModel
from sf_eval.model.tokens import VideoFeatures
from sf_eval.profiler.measured.pipeline import make_model
from sf_eval.profiler.measured.prompts import CountedPrompts
from sf_eval.video import ClipPlan, VideoInfo

TINY: dict[str, Any] = {
    "vocab_size": 128, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "mm_video_pooling_stride": 2,
    "mm_projector_type": "mlp2x_gelu", "min_fast_frames": 2, "fast_token_temporal_stride": 2,
    "fast_token_temporal_sampling_stride": 1, "fast_token_spatial_stride": 1, "cross_attn_every_n_layers": 2,
    "cross_attn_implementation": "text-only-vanilla", "cross_attn_gating_type": "whole-dynamic-tanh-warmup",
    "vision_config": {"depths": [1, 1, 1, 1], "hidden_sizes": [4, 6, 8, 12], "image_size": 64},
}  # fmt: skip


class Prompts(CountedPrompts):
    """Texts of different lengths, and words that tell one answer from another."""

    def decode(self, ids: Any) -> str:
        return " ".join(map(str, ids))

    def _ids(self, prompt: str, has_video: bool) -> list[int]:
        return super()._ids("", has_video) + [ord(letter) for letter in prompt]


def encoded(model: SlowFastVideoModel, frames: int) -> VideoFeatures:
    pixels = np.random.default_rng(frames).integers(0, 256, (frames, 64, 64, 3), dtype=np.uint8)
    times = tuple(map(float, range(frames)))
    info = VideoInfo(Path("v"), frames, 1.0, float(frames), 64, 64, "drawn")
    return model.encode(torch.from_numpy(pixels), ClipPlan(info, tuple(range(frames)), times), chunk_frames=4)


def is_prefilled(model: SlowFastVideoModel) -> bool:
    """Whether the prefix of a video is there before anything is asked about it."""
    (prefix,) = model.prefixes(encoded(model, 5), ["Which way?"])
    assert prefix is not None
    return prefix.prefilled is not None


def answers(model: SlowFastVideoModel) -> list[str]:
    """About two videos of different lengths, in batches of three and one."""
    texts = []
    for frames in (5, 8):
        video = encoded(model, frames)
        prefix = model.prefix(video)
        for batch in (["What is it?", "Which is the colour of it? A. red B. blue", "Why?"], ["Where?"]):
            results = model.answer([Asked(text, video, prefix, 4) for text in batch])
            texts += [result.text for result in results if isinstance(result, Generated)]
    return texts


@pytest.fixture
def model() -> SlowFastVideoModel:
    made = make_model(TINY, torch.device("cpu"), torch.float32, "sdpa")
    prompts = Prompts(tokens=20, before_video=14, vocab_size=128, image_size=64)
    return SlowFastVideoModel(LoadedModel(made, prompts, card_for("mini"), "", "", 0))


@pytest.mark.thorough
def test_the_engines_calls_run_compiled_and_answer_as_before(model: SlowFastVideoModel) -> None:
    plain = answers(model)
    with compiled_model(model, backend="aot_eager") as compiled:
        tried = compiled.graphs.total()
        assert answers(model) == plain
        assert set(compiled.graphs) == set(compiled.parts), "the tower and every layer"
        assert compiled.layers == model.loaded.model.config.num_hidden_layers
        assert tried > 0
        assert max(compiled.graphs.values()) < 20, "sizes that change make no graph each"
        assert is_prefilled(model), "no passes that were not tried out"
        met = compiled.graphs.total()
        first, second = model.prefixes(
            encoded(model, 5), [f"{'It is red. ' * 4}{one}" for one in ("Why?", "A?")]
        )
        assert first is second
        assert first is not None
        assert first.tokens > 44
        assert compiled.graphs.total() == met, "text that questions share was tried out too"
    assert not is_prefilled(model)
    assert not [name for name, part in model.loaded.model.named_modules() if "forward" in vars(part)]


@pytest.mark.thorough
def test_a_model_that_cannot_be_compiled_is_told_before_anything_is_asked(
    model: SlowFastVideoModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(self: torch.nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        print("a graph break")
        return hidden

    monkeypatch.setattr(type(model.loaded.model.model.layers[0].mlp), "forward", breaks)
    with pytest.raises(UsageError, match="--compile"), compiled_model(model, backend="eager"):
        pytest.fail("it was to be refused at the start")
    with pytest.raises(UsageError, match="cannot be compiled"), compiled_model(object()):  # type: ignore[arg-type]
        pass


def test_why_a_machine_cannot_compile_is_told_in_the_compilers_own_words() -> None:
    """Dynamo wraps what a backend raises in an error whose first line names the backend alone."""

    def refusing(graph: Any, inputs: Any) -> Any:
        raise RuntimeError("no compiler was found\nby the way")

    part = torch.nn.Linear(2, 2)
    with pytest.raises(UsageError, match="no compiler was found"), compiled({"part": part}, backend=refusing):
        part(torch.ones(1, 2))
