"""What an attached model reads: fast tokens inside the prompt, slow tokens beside it, worked out once."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from tiny_families import FAMILIES, START, VIDEO, tiny_model

from sf_eval.model import attach_slow_path
from sf_eval.model.attach import (
    SlowContext,
    SlowPathSettings,
    SlowVideo,
    encode_videos,
    fast_features,
    shorten,
    slow_context,
    slow_fast_inputs,
)
from sf_eval.model.attach.context import spans_where
from sf_eval.model.attach.grids import slow_places
from sf_eval.model.errors import PromptError, SlowPathError


def test_placeholders_are_as_many_as_fast_tokens(family, opened):
    tiny = FAMILIES[family]
    pixels = tiny.batch()
    inputs = slow_fast_inputs(opened, pixels)
    token = VIDEO if (pixels["input_ids"] == VIDEO).any() else opened.config.image_token_id
    counts = (inputs["input_ids"] == token).sum(1).tolist()
    assert counts == [tiny.fast[0], 0, tiny.fast[1]]
    tokens = [0 if video is None else len(video.tokens) for video in inputs["slow"].videos]
    assert tokens == [tiny.slow[0], 0, tiny.slow[1]]


def test_text_queries_and_fast_tokens_and_padding_do_not(family, opened):
    inputs = slow_fast_inputs(opened, FAMILIES[family].batch())
    ids, slow = inputs["input_ids"], inputs["slow"]
    placeholders = (ids == VIDEO) | (ids == opened.config.image_token_id)
    for row in range(3):
        asks = torch.zeros(ids.shape[1], dtype=torch.bool)
        for start, stop in slow.queries[row]:
            asks[start:stop] = True
        assert torch.equal(asks, inputs["attention_mask"][row].bool() & ~placeholders[row])


def test_qwen3_keeps_the_first_timestamp_of_each_window():
    model = attach_slow_path(tiny_model("qwen3-vl"), layers=[0], temporal_stride=2, spatial_stride=2)
    ids = slow_fast_inputs(model, FAMILIES["qwen3-vl"].batch())["input_ids"][2].tolist()
    stamps = [before for before, token in itertools.pairwise(ids) if token == START]
    assert stamps == [30, 32, 34]


def test_internvl_numbers_its_fast_frames_from_the_first():
    model = attach_slow_path(tiny_model("internvl"), layers=[0], temporal_stride=2, spatial_stride=2)
    ids = slow_fast_inputs(model, FAMILIES["internvl"].batch())["input_ids"][2].tolist()
    assert [before for before, token in itertools.pairwise(ids) if token == START] == [30, 31, 32]


def test_qwen_is_told_that_a_fast_frame_lasts_longer(batch):
    assert batch["second_per_grid_ts"].tolist() == [2.0, 4.0]
    assert batch["video_grid_thw"].tolist() == [[2, 4, 4], [3, 2, 4]]


def test_a_padded_row_answers_as_it_does_alone(family, opened):
    together = slow_fast_inputs(opened, FAMILIES[family].batch())
    alone = _alone(family, opened)
    logits = opened(**together).logits[0, -1]
    torch.testing.assert_close(opened(**alone).logits[0, -1], logits, atol=2e-5, rtol=1e-4)


def test_shared_work_gives_what_unshared_work_gives(family, opened, answers):
    """One video, three questions: features once, slow keys and values once, the prefix prefilled once."""
    alone = _alone(family, opened)
    ids, slow, length = alone["input_ids"], alone["slow"], alone["input_ids"].shape[1] - 2
    questions = [torch.cat([ids[:, :length], torch.tensor([[20 + n, 21 + n]])], dim=1) for n in range(3)]
    unshared = [
        opened(**{**alone, "input_ids": question, "slow": slow}).logits[0, -2:] for question in questions
    ]

    places = alone["position_ids"]
    prefix = {
        **alone,
        "input_ids": ids[:, :length],
        "attention_mask": alone["attention_mask"][:, :length],
        "position_ids": places[..., :length],
        "slow": slow,
    }
    if "mm_token_type_ids" in prefix:
        prefix["mm_token_type_ids"] = prefix["mm_token_type_ids"][:, :length]
    slow = SlowContext(slow.videos, slow.queries, slow.prompt_length)
    cache = opened(**{**prefix, "slow": slow}, use_cache=True).past_key_values
    assert set(slow.pairs) == {0, 2}
    kept = slow.pairs[0][0][0]
    for question, wanted in zip(questions, unshared, strict=True):
        logits = opened(
            input_ids=question[:, length:],
            attention_mask=alone["attention_mask"],
            position_ids=places[..., length:],
            past_key_values=copy.deepcopy(cache),
            slow=slow,
        ).logits[0]
        torch.testing.assert_close(logits, wanted, atol=2e-5, rtol=1e-4)
    assert slow.pairs[0][0][0] is kept


def test_generation_is_what_forward_passes_over_the_whole_give(family, opened, answers):
    """Answer tokens query slow tokens, as in training."""
    alone = _alone(family, opened)
    answer = answers(opened, alone)[0]
    prompt = alone["input_ids"].shape[1]
    slow = alone["slow"]
    cache = opened(**alone, use_cache=True).past_key_values
    place = alone["position_ids"][..., -1:]
    for step in range(prompt, len(answer) - 1):
        place = place + 1
        logits = opened(
            input_ids=answer[None, step : step + 1], position_ids=place, past_key_values=cache, slow=slow
        ).logits
        assert logits[0, -1].argmax() == answer[step + 1]


def test_an_engine_may_take_the_steps_by_themselves(family, opened):
    pixels = FAMILIES[family].batch()
    grids = encode_videos(opened, pixels)
    prompt = shorten(opened, pixels, [grid.grid for grid in grids])
    steps = {**prompt.inputs, **fast_features(opened, grids), "slow": slow_context(opened, prompt, grids)}
    assert torch.equal(opened(**steps).logits, opened(**slow_fast_inputs(opened, pixels)).logits)


def test_a_prompt_with_a_wrong_number_of_placeholders_is_refused(opened, family):
    pixels = FAMILIES[family].batch()
    ids = pixels["input_ids"]
    token = VIDEO if (ids == VIDEO).any() else opened.config.image_token_id
    first = (ids[0] == token).nonzero()[0]
    ids[0, first] = 7
    with pytest.raises(PromptError, match="placeholders"):
        slow_fast_inputs(opened, pixels)


def test_slow_tokens_stand_on_the_line_between_the_fast_ones():
    settings = SlowPathSettings((0,), temporal_stride=2, spatial_stride=2)
    # Two fast frames of 1 x 2 cells at times 10 and 20, height 5, widths 7 and 8.
    fast = torch.tensor([[10, 10, 20, 20], [5, 5, 5, 5], [7, 8, 7, 8]])
    time, height, width = slow_places(fast, (2, 1, 2), (4, 2, 4), settings).view(3, 4, 2, 4)
    assert time[:, 0, 0].tolist() == [7.5, 12.5, 17.5, 22.5]
    assert set(height.flatten().tolist()) == {5.0}
    assert width[0, 0].tolist() == [6.75, 7.25, 7.75, 8.25]


def test_with_places_in_one_dimension_a_slow_token_takes_the_cell_it_is_pooled_into():
    settings = SlowPathSettings((0,), temporal_stride=2, spatial_stride=2)
    places = slow_places(torch.tensor([100, 101, 102, 103]), (2, 1, 2), (4, 2, 4), settings).view(4, 2, 4)
    assert places[0].tolist() == [[99.5, 99.5, 100.5, 100.5]] * 2
    assert places[:, 0, 0].tolist() == [99.5, 100.5, 101.5, 102.5]


def test_own_rotation_tells_early_from_late_and_the_published_one_does_not(qwen, batch):
    """The same slow tokens in another order: unrotated keys cannot tell."""
    slow = batch["slow"]
    video = slow.videos[0]
    flipped = SlowVideo(video.tokens.flip(0), video.rotation)
    for rotated in (True, False):
        logits = []
        for row in (video, flipped):
            shown = SlowVideo(row.tokens, row.rotation if rotated else None)
            batch["slow"] = SlowContext([shown, None, None], slow.queries, slow.prompt_length)
            logits.append(qwen(**batch).logits[0])
        change = (logits[0] - logits[1]).abs().max()
        assert (change > 1e-2) if rotated else (change < 1e-5)


def test_a_context_tells_which_positions_of_a_pass_query():
    video = SlowVideo(torch.zeros(1, 4))
    slow = SlowContext([video], [((0, 2), (5, 7))], prompt_length=7)
    assert slow.spans(0, 0, 7) == ((0, 2), (5, 7))
    assert slow.spans(0, 1, 5) == ((0, 1), (4, 5))  # a part of the prompt
    assert slow.spans(0, 6, 4) == ((0, 4),)  # the prompt's end and what follows
    assert slow.spans(0, 9, 1) == ((0, 1),)
    assert SlowContext([video]).spans(0, 0, 3) == ((0, 3),)


def test_ranges_of_a_mask():
    assert spans_where(torch.tensor([1, 1, 0, 1, 0])) == ((0, 2), (3, 4))
    assert spans_where(torch.tensor([0, 0])) == ()


def test_rows_of_another_number_of_videos_are_refused(qwen, batch):
    slow = batch["slow"]
    batch["slow"] = SlowContext(slow.videos[:2])
    with pytest.raises(SlowPathError, match="a batch of 3 rows was given slow tokens for 2"):
        qwen(**batch)


def _alone(family, model):
    """The inputs of the batch's first row without its padding."""
    pixels = FAMILIES[family].batch()
    row = pixels["attention_mask"][0].bool()
    one = {
        key: value[:1, row]
        for key, value in pixels.items()
        if key in ("input_ids", "attention_mask", "mm_token_type_ids")
    }
    if "video_grid_thw" in pixels:
        one["video_grid_thw"] = pixels["video_grid_thw"][:1]
        one["pixel_values_videos"] = pixels["pixel_values_videos"][: int(one["video_grid_thw"].prod())]
        if "second_per_grid_ts" in pixels:
            one["second_per_grid_ts"] = pixels["second_per_grid_ts"][:1]
    elif "pixel_values" in pixels:
        one["pixel_values"] = pixels["pixel_values"][:4]
    else:
        one["pixel_values_videos"] = pixels["pixel_values_videos"][:1]
    return slow_fast_inputs(model, one)
