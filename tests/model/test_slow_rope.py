"""`slow_rope`: "own" turns slow keys to where their fast tokens stand, "published" turns none."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from sf_eval.core.errors import CheckpointError, UsageError
from sf_eval.model import SlowFastConfig, SlowFastForConditionalGeneration
from sf_eval.model.attention import HybridAttention
from sf_eval.model.errors import PromptError
from sf_eval.model.loading import weights_digest
from sf_eval.model.looking import look
from sf_eval.model.shared_prefix import prefill_prefix
from sf_eval.model.tokens import fast_tokens, slow_places
from tests.model.conftest import CASES

Model = SlowFastForConditionalGeneration
QUESTION = torch.tensor([[5, 6, -200, 7, 8, 9]])
CELLS, HEAD_DIM, THETA = 4, 16, 1_000_000.0  # of the recorded model: a frame has 2 x 2 slow tokens


@pytest.fixture
def own(load) -> Model:
    return load("s1t4_f8", slow_rope="own")


# --- where a slow token stands ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "rule", "wanted"),
    [
        # Windows 0-3 and 4-7, centres 1.5 and 5.5, at places 10 and 11; frame 8 fills no window.
        (9, {"temporal_stride": 4}, [10 + (frame - 1.5) / 4 for frame in range(9)]),
        # Every second frame, two of them a window: 0, 2 | 4, 6.
        (8, {"sampling_stride": 2, "temporal_stride": 2}, [10 + (frame - 1) / 4 for frame in range(8)]),
        # Three windows, as even as five frames allow: 0-1, 1-3, 3-4; centres 0.5, 2, 3.5.
        (5, {"temporal_stride": 4, "min_fast_frames": 3}, [10 + (frame - 0.5) / 1.5 for frame in range(5)]),
        # Unevenly sampled: 0, 1, 3; frame 2 is half way from 1 to 3, frame 4 as far beyond 3.
        (5, {"sampling_stride": 2, "min_fast_frames": 3}, [10, 11, 11.5, 12, 12.5]),
        (3, {"temporal_stride": 4}, [10, 10, 10]),  # one fast frame: no line to stand on
        (1, {"temporal_stride": 4, "sampling_stride": 2}, [10]),
    ],
)
def test_a_frame_stands_between_the_fast_frames_around_it(frames: int, rule, wanted: list[float]) -> None:
    rule = {"sampling_stride": 1, "temporal_stride": 1, "spatial_stride": 1, "min_fast_frames": 1, **rule}
    count = len(fast_tokens(torch.zeros(frames, 1, 1, 1), **rule))
    places = slow_places(torch.arange(10, 10 + count), frames=frames, cells=1, **rule)
    torch.testing.assert_close(places, torch.tensor(wanted).double())


def test_a_cell_stands_where_its_fast_cell_does_also_with_text_between_frames() -> None:
    rule = {"sampling_stride": 1, "temporal_stride": 2, "spatial_stride": 2, "min_fast_frames": 1}
    fast = torch.tensor([3, 4, 5, 6, 20, 21, 22, 23])  # two frames of 2 x 2, words between them
    places = slow_places(fast, frames=4, cells=5, **rule).view(4, 5, 5)
    # Centres 0.5 and 2.5; cells 4 have no fast cell of their own and take the last one's.
    columns = torch.tensor([0, 0, 1, 1, 1])
    first = 3 + 2 * columns[:, None] + columns
    for frame in range(4):
        torch.testing.assert_close(places[frame], (first + 17 * (frame - 0.5) / 2).double())


# --- what the model makes of it -----------------------------------------------------------------------------


def turned_by_hand(attention: HybridAttention, places: list[float]) -> None:
    """Let a layer turn its slow keys as complex numbers, each pair of dimensions by its own frequency."""
    published = attention.project_slow
    frequencies = THETA ** (-torch.arange(0, HEAD_DIM, 2, dtype=torch.float64) / HEAD_DIM)
    turn = torch.polar(torch.ones(()).double(), torch.tensor(places).double()[:, None] * frequencies)

    def project_slow(slow: torch.Tensor, rotation: None = None) -> tuple[torch.Tensor, torch.Tensor]:
        key, value = published(slow)
        real, imaginary = key.double().chunk(2, dim=-1)
        whole = torch.complex(real, imaginary) * turn
        return torch.cat([whole.real, whole.imag], dim=-1).to(key.dtype), value

    attention.project_slow = project_slow


def test_own_is_the_published_model_with_keys_turned_by_hand(load, own, frames) -> None:
    video = frames(13)  # three windows of four frames, and one frame more
    published = load("s1t4_f8")
    as_published = published(input_ids=QUESTION, pixel_values_videos=[video]).logits
    # The video stands at 2: four tokens a fast frame, whose centres are 1.5, 5.5, 9.5.
    places = [2 + cell + CELLS * (frame - 1.5) / 4 for frame in range(13) for cell in range(CELLS)]
    for layer in published.config.hybrid_layers:
        turned_by_hand(published.model.layers[layer].self_attn, places)
    by_hand = published(input_ids=QUESTION, pixel_values_videos=[video]).logits
    found = own(input_ids=QUESTION, pixel_values_videos=[video]).logits
    torch.testing.assert_close(found, by_hand, atol=2e-5, rtol=1e-4)
    assert (found - as_published).abs().max() > 1e-3


def test_turned_keys_and_values_hold_nothing_of_their_projection(own, frames) -> None:
    video = own.encode_video(frames(8))
    (part,) = prefill_prefix(own, [5, 6, -200], video).cache.parts
    assert part.keys
    for kept in (*part.keys.values(), *part.values.values()):
        assert kept.untyped_storage().nbytes() == kept.numel() * kept.element_size()


def test_only_own_sees_the_order_of_slow_tokens(load, own, frames) -> None:
    for model, sees in ((load("s1t4_f8"), False), (own, True)):
        features = model.encode_video(frames(12))
        frame_by_frame = features.slow_tokens.unflatten(0, (12, CELLS))
        backwards = replace(features, slow_tokens=frame_by_frame.flip(0).flatten(0, 1))
        forth, back = (
            model(input_ids=QUESTION, video_features=[video]).logits for video in (features, backwards)
        )
        assert bool((forth - back).abs().max() > 1e-3) is sees


def test_only_own_does_not_care_where_the_prompt_begins(load, own, frames) -> None:
    """Rotary embeddings tell distances; a key that is not turned has none to tell."""
    for model, cares in ((load("s1t4_f8"), True), (own, False)):
        features = [model.encode_video(frames(8))]
        length = model.prompt_length(QUESTION[0], features[0])
        here, there = (
            model(
                input_ids=QUESTION,
                video_features=features,
                position_ids=torch.arange(first, first + length)[None],
            ).logits
            for first in (0, 40)
        )
        assert bool((here - there).abs().max() > 1e-3) is cares


def test_a_cache_made_before_the_prompt_serves_it(own, frames) -> None:
    """Its keys are turned when the prompt is known; deep copies and a second prompt have their own."""
    features = [own.encode_video(frames(8))]
    cache = own.new_cache(features)
    kept = copy.deepcopy(cache)
    for given, ids in ((cache, QUESTION), (kept, torch.tensor([[5, 6, 7, 8, -200, 9]]))):
        found = own(input_ids=ids, video_features=features, past_key_values=given).logits
        assert torch.equal(found, own(input_ids=ids, video_features=features).logits)
    assert cache.slow_tokens is None
    assert cache.slow_rotation is None


def test_an_embedded_prompt_needs_to_say_where_its_video_stands(own, frames) -> None:
    features = [own.encode_video(frames(8))]
    prompt = own.embed_prompt(QUESTION, None, features)
    cache = own.new_cache(features)
    cache.set_queries([((0, 2), (10, 13))])
    with pytest.raises(UsageError, match="where their video stands"):
        own(inputs_embeds=prompt.inputs_embeds, past_key_values=copy.deepcopy(cache))
    own.place_slow_tokens(cache, features, [torch.arange(2, 10)])
    found = own(inputs_embeds=prompt.inputs_embeds, past_key_values=cache).logits
    assert torch.equal(found, own(input_ids=QUESTION, video_features=features).logits)


def test_frames_that_are_no_squares_are_said(own, frames) -> None:
    features = own.encode_video(frames(8))
    with pytest.raises(PromptError, match="squares"):
        own(input_ids=QUESTION, video_features=[replace(features, slow_tokens=features.slow_tokens[1:])])


def test_places_are_exact_in_half_precision(frames) -> None:
    """A thousand tokens before the video: bfloat16 has no fractions there, and hardly whole numbers."""
    ids = torch.cat([torch.full((1, 1000), 5), QUESTION], dim=1)
    keys = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = Model.from_pretrained(CASES / "s1t4_f8", dtype=dtype, slow_rope="own")
        model.config.tokenizer_model_max_length = model.config.max_position_embeddings = 2048
        features = [model.encode_video(frames(8).to(dtype))]
        cache = model(input_ids=ids, video_features=features, logits_to_keep=1).past_key_values
        keys[dtype] = cache.slow_keys[0].float()
    size = keys[torch.float32].abs().max()
    assert (keys[torch.bfloat16] - keys[torch.float32]).abs().max() < 0.02 * size


def test_looking_sees_the_turned_keys(load, own, frames) -> None:
    seen = []
    for model in (load("s1t4_f8"), own):
        prefix = prefill_prefix(model, [5, 6, -200], model.encode_video(frames(8)))
        seen.append(look(model, prefix, [7, 8, 9], max_new_tokens=1, stop_ids=[-1]).attention["last"])
    assert (seen[0] - seen[1]).abs().max() > 1e-4


# --- the key in config.json ---------------------------------------------------------------------------------


def test_the_key_is_read_kept_and_part_of_the_weights_digest(tmp_path: Path) -> None:
    shutil.copytree(CASES / "s1t4_f8", tmp_path / "own")
    config = tmp_path / "own" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "slow_rope": "own"}))
    model = SlowFastForConditionalGeneration.from_pretrained(tmp_path / "own")
    assert model.config.slow_rope == "own"
    model.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / "config.json").read_text())["slow_rope"] == "own"
    assert weights_digest(tmp_path / "own") != weights_digest(CASES / "s1t4_f8")


def test_published_is_the_default_and_other_values_are_refused() -> None:
    assert SlowFastConfig().slow_rope == "published"
    with pytest.raises(CheckpointError, match="slow_rope is 'learned'"):
        SlowFastConfig(slow_rope="learned").check()
