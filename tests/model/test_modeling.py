"""What must hold beyond the recorded cases: batches, caches, threads, switches, limits."""

from __future__ import annotations

import threading

import pytest
import torch

from sf_eval.model import SlowFastCache, VideoFeatures
from sf_eval.model.errors import PromptError, PromptTooLongError

TOLERANCE = {"atol": 2e-5, "rtol": 1e-4}


def prompt(*ids: int) -> torch.Tensor:
    return torch.tensor([list(ids)])


QUESTION = prompt(5, 6, -200, 7, 8, 9)


def decode_by_hand(model, ids, features, steps: int, *, cached: bool) -> tuple[list[int], torch.Tensor]:
    """Greedy decoding by `forward` alone, with a cache or from scratch at each step: ids and last logits."""
    output = model(input_ids=ids, video_features=features, logits_to_keep=1)
    new: list[int] = []
    for _ in range(steps):
        new.append(int(output.logits[0, -1].argmax()))
        if cached:
            output = model(input_ids=prompt(new[-1]), past_key_values=output.past_key_values)
        else:
            longer = torch.cat([ids, prompt(*new)], dim=1)
            output = model(input_ids=longer, video_features=features, use_cache=False)
    return new, output.logits[0, -1]


@pytest.mark.parametrize("rope", ["published", "own"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_batch_gives_what_single_samples_give(model, frames, side: str, rope: str) -> None:
    model.config.slow_rope = rope
    model.config.tokenizer_padding_side = side
    videos = [frames(8), None, frames(3, seed=1), frames(1, seed=2)]
    singles = [prompt(5, 6, -200, 7), prompt(3, 4, 5), prompt(9, -200, 7, 8, 1, 2, 3), prompt(-200, 4)]
    length = max(ids.shape[1] for ids in singles)
    ids = torch.stack([torch.nn.functional.pad(row[0], (length - row.shape[1], 0)) for row in singles])
    mask = torch.stack([torch.arange(length) >= length - row.shape[1] for row in singles]).long()
    batch = model(input_ids=ids, attention_mask=mask, pixel_values_videos=videos)
    embedded = model.embed_prompt(
        ids, mask, [None if video is None else model.encode_video(video) for video in videos]
    )
    for index, (row, video) in enumerate(zip(singles, videos, strict=True)):
        single = model(input_ids=row, pixel_values_videos=None if video is None else [video])
        real = embedded.attention_mask[index].bool()
        torch.testing.assert_close(batch.logits[index, real], single.logits[0], **TOLERANCE)
    answers = model.generate(ids, attention_mask=mask, pixel_values_videos=videos, max_new_tokens=6)
    for index, (row, video) in enumerate(zip(singles, videos, strict=True)):
        single = model.generate(row, pixel_values_videos=None if video is None else [video], max_new_tokens=6)
        assert answers[index, length:].tolist() == single[0, row.shape[1] :].tolist()


@pytest.mark.parametrize("slow_in_decoding", [True, False])
@pytest.mark.parametrize("case", ["s1t4_f8", "masksystem", "no_tanh_gate"])
def test_decoding_with_a_cache_equals_decoding_by_generate(
    load, frames, case: str, slow_in_decoding: bool
) -> None:
    model = load(case)
    model.config.decode_slow_attention = slow_in_decoding
    features = [model.encode_video(frames(8))]
    ids, _ = decode_by_hand(model, QUESTION, features, 6, cached=True)
    generated = model.generate(QUESTION, video_features=features, max_new_tokens=6)
    assert generated[0, : QUESTION.shape[1]].tolist() == QUESTION[0].tolist()
    assert generated[0, QUESTION.shape[1] :].tolist() == ids


@pytest.mark.parametrize(
    ("attn", "rope"),
    [
        ("sdpa", "published"),
        ("sdpa", "own"),
        ("eager", "published"),
        pytest.param("eager", "own", marks=pytest.mark.thorough),
    ],
)
@pytest.mark.parametrize("case", ["s1t4_f8", "masksystem", "no_tanh_gate", "layers_1_to_4"])
def test_decoding_with_a_cache_equals_decoding_without(load, frames, case: str, attn: str, rope: str) -> None:
    model = load(case, attn_implementation=attn, slow_rope=rope)
    features = [model.encode_video(frames(8))]
    ids, logits = decode_by_hand(model, QUESTION, features, 5, cached=True)
    expected_ids, expected = decode_by_hand(model, QUESTION, features, 5, cached=False)
    assert ids == expected_ids
    torch.testing.assert_close(logits, expected, **TOLERANCE)


def test_a_padded_batch_decodes_by_forward_alone(model, frames) -> None:
    """The cache remembers the prompt's padding, which the caller cannot know."""
    model.config.tokenizer_padding_side = "left"
    features = [model.encode_video(frames(8)), model.encode_video(frames(1))]  # 8 and 16 fast tokens
    ids = QUESTION.repeat(2, 1)
    output = model(input_ids=ids, video_features=features)
    step = model(input_ids=torch.tensor([[11], [12]]), past_key_values=output.past_key_values)
    for row, token in enumerate((11, 12)):
        alone = model(input_ids=QUESTION, video_features=[features[row]])
        expected = model(input_ids=prompt(token), past_key_values=alone.past_key_values)
        torch.testing.assert_close(step.logits[row], expected.logits[0], **TOLERANCE)


def test_decode_slow_attention_changes_the_second_token_only(model, frames) -> None:
    """The published code never lets a response token see slow tokens."""
    features = [model.encode_video(frames(8))]

    def steps() -> tuple[torch.Tensor, torch.Tensor]:
        first = model(input_ids=QUESTION, video_features=features)
        second = model(input_ids=prompt(7), past_key_values=first.past_key_values)
        return first.logits[0, -1], second.logits[0, -1]

    attending = steps()
    model.config.decode_slow_attention = False
    published = steps()
    assert torch.equal(attending[0], published[0])
    assert (attending[1] - published[1]).abs().max() > 1e-2


def test_slow_path_off_is_the_model_without_its_slow_branch(model, frames) -> None:
    features = [model.encode_video(frames(8))]
    slow_fast = model(input_ids=QUESTION, video_features=features).logits
    model.config.slow_path = "off"
    off = model(input_ids=QUESTION, video_features=features)
    assert off.past_key_values.slow_keys == {}
    for layer in model.config.hybrid_layers:
        attention = model.model.layers[layer].self_attn
        attention.cross_attn_gate_proj[0].weight.zero_()
        attention.cross_attn_gate_proj[0].bias.zero_()
    model.config.slow_path = "on"
    closed = model(input_ids=QUESTION, video_features=features).logits  # gate tanh(0) = 0
    assert (slow_fast - off.logits).abs().max() > 1e-2
    torch.testing.assert_close(off.logits, closed, **TOLERANCE)


def test_vanilla_lets_fast_tokens_query_as_well(model, frames) -> None:
    features = [model.encode_video(frames(8))]
    text_only = model(input_ids=QUESTION, video_features=features).logits
    model.config.cross_attn_implementation = "vanilla"
    vanilla = model(input_ids=QUESTION, video_features=features).logits
    assert (text_only - vanilla).abs().max() > 1e-3


def test_two_threads_use_one_model_on_two_videos(model, frames) -> None:
    videos = [frames(8, seed=1), frames(13, seed=2)]
    alone = [model.generate(QUESTION, pixel_values_videos=[video], max_new_tokens=8) for video in videos]
    assert not torch.equal(*alone)
    found: dict[tuple[int, int], torch.Tensor] = {}
    barrier = threading.Barrier(2)

    def answer(index: int) -> None:
        with torch.no_grad():
            for turn in range(2):
                barrier.wait()
                output = model.generate(QUESTION, pixel_values_videos=[videos[index]], max_new_tokens=8)
                found[index, turn] = output

    threads = [threading.Thread(target=answer, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(torch.equal(output, alone[index]) for (index, _), output in found.items())


def test_one_cache_of_slow_tokens_serves_a_prompt(model, frames) -> None:
    features = [model.encode_video(frames(8))]
    cache = model.new_cache(features)
    assert set(cache.slow_keys) == set(model.config.hybrid_layers)
    assert cache.slow_keys[0].shape == (1, 2, features[0].slow_tokens.shape[0], 16)
    given = model(input_ids=QUESTION, video_features=features, past_key_values=cache)
    made = model(input_ids=QUESTION, video_features=features)
    assert torch.equal(given.logits, made.logits)
    with pytest.raises(TypeError, match="unused"):
        model(input_ids=QUESTION, video_features=features, past_key_values=cache)


def test_slow_tokens_are_projected_once_a_video(model, frames) -> None:
    calls = []
    model.model.layers[0].self_attn.cross_attn_kv_proj.register_forward_hook(lambda *_: calls.append(1))
    model.generate(QUESTION, pixel_values_videos=[frames(8)], max_new_tokens=6)
    assert calls == [1]


def test_only_the_last_positions_logits_are_computed_when_generating(model, frames) -> None:
    lengths = []
    model.lm_head.register_forward_hook(lambda _module, inputs, _output: lengths.append(inputs[0].shape[1]))
    model.generate(QUESTION, pixel_values_videos=[frames(8)], max_new_tokens=4)
    assert lengths == [1, 1, 1, 1]


@pytest.mark.parametrize("rope", ["published", "own"])
def test_beams_and_several_answers_repeat_the_slow_tokens_too(model, frames, rope: str) -> None:
    model.config.slow_rope = rope
    features = [model.encode_video(frames(8)), None]
    ids = torch.cat([QUESTION, prompt(1, 2, 3, 4, 5, 6)])
    greedy = model.generate(ids, video_features=features, max_new_tokens=4)
    beams = model.generate(ids, video_features=features, max_new_tokens=4, num_beams=3)
    assert beams.shape == greedy.shape
    torch.manual_seed(0)
    several = model.generate(
        ids, video_features=features, max_new_tokens=4, do_sample=True, num_return_sequences=3, top_k=1
    )
    assert torch.equal(several, greedy.repeat_interleave(3, dim=0))


def test_the_tower_runs_in_chunks(model, frames) -> None:
    sizes = []
    model.model.vision_tower.register_forward_hook(lambda _m, inputs, _o: sizes.append(inputs[0].shape[0]))
    chunked = model.encode_video(frames(8), chunk_frames=3)
    assert sizes == [3, 3, 2]
    whole = model.encode_video(frames(8), chunk_frames=8)
    torch.testing.assert_close(chunked.slow_tokens, whole.slow_tokens)
    torch.testing.assert_close(chunked.fast_tokens, whole.fast_tokens)
    assert chunked.num_frames == 8


@pytest.mark.parametrize("key", ["tokenizer_model_max_length", "max_position_embeddings"])
def test_a_prompt_that_does_not_fit_is_an_error(model, frames, key: str) -> None:
    features = [model.encode_video(frames(8))]
    length = model.prompt_length(QUESTION[0], features[0])
    assert length == 5 + features[0].fast_tokens.shape[0]
    setattr(model.config, key, length)
    assert model(input_ids=QUESTION, video_features=features).logits.shape[1] == length
    setattr(model.config, key, length - 1)
    for call in (model, model.generate):
        with pytest.raises(PromptTooLongError, match=f"{length} tokens"):
            call(input_ids=QUESTION, video_features=features)
    with pytest.raises(PromptTooLongError):
        model(input_ids=torch.ones(1, length, dtype=torch.long))


def test_videos_and_placeholders_must_fit_together(model, frames) -> None:
    features = model.encode_video(frames(2))
    with pytest.raises(PromptError, match="no video"):
        model(input_ids=QUESTION)
    with pytest.raises(PromptError, match="2 video placeholders"):
        model(input_ids=prompt(-200, 3, -200), video_features=[features])
    with pytest.raises(PromptError, match="3 videos were given for 1 prompts"):
        model(input_ids=QUESTION, video_features=[features] * 3)
    with pytest.raises(PromptError, match="1 videos were given for 2 prompts") as caught:
        model(input_ids=torch.cat([QUESTION, prompt(1, 2, 3, 4, 5, 6)]), video_features=[features])
    assert "None" in caught.value.hint
    with pytest.raises(PromptError, match="not inputs_embeds"):
        model(inputs_embeds=torch.zeros(1, 2, 64), video_features=[features])
    with pytest.raises(PromptError, match="input_ids or inputs_embeds"):
        model(inputs_embeds=torch.zeros(1, 2, 64), input_ids=QUESTION)
    with pytest.raises(PromptError, match="not both"):
        model(input_ids=QUESTION, video_features=[features], pixel_values_videos=[frames(2)])


@pytest.mark.parametrize("shape", [(0, 3, 128, 128), (2, 3, 96, 128), (2, 1, 128, 128)])
def test_frames_of_another_shape_are_said(model, shape: tuple[int, ...]) -> None:
    with pytest.raises(PromptError, match=r"\[T, 3, S, S\]"):
        model.encode_video(torch.zeros(shape))


def test_a_video_belongs_to_its_row(model, frames) -> None:
    """One entry a row; what a row without a placeholder is given is not used, as in the published code."""
    features = model.encode_video(frames(4))
    other = VideoFeatures(*[torch.ones(3, 64)] * 2, 1)
    ids = torch.cat([prompt(1, 2, 3, 4, 5, 6), QUESTION])
    by_row = model(input_ids=ids, video_features=[None, features])
    unused = model(input_ids=ids, video_features=[other, features])
    assert torch.equal(by_row.logits, unused.logits)
    assert not torch.equal(by_row.logits, model(input_ids=ids, video_features=[features, other]).logits)


def split_after(model, features, at: int, *, continues: str = "response") -> torch.Tensor:
    """The last logits of QUESTION in two passes: its first `at` ids and the video, then the rest."""
    first = model(input_ids=QUESTION[:, :at], video_features=features)
    return model(
        input_ids=QUESTION[:, at:], past_key_values=first.past_key_values, continues=continues
    ).logits[0, -1]


@pytest.mark.parametrize("at", [3, 4, 5])
@pytest.mark.parametrize("slow_in_decoding", [True, False])
def test_the_rest_of_a_prompt_queries_slow_tokens_be_it_one_token(
    model, frames, at: int, slow_in_decoding: bool
) -> None:
    model.config.decode_slow_attention = slow_in_decoding
    features = [model.encode_video(frames(8))]
    whole = model(input_ids=QUESTION, video_features=features).logits[0, -1]
    torch.testing.assert_close(split_after(model, features, at, continues="prompt"), whole, **TOLERANCE)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_response_tokens_are_responses_however_many_come_at_once(model, frames, count: int) -> None:
    """As assisted decoding and a forced answer feed them: the published code shows none of them the video."""
    model.config.decode_slow_attention = False
    features = [model.encode_video(frames(8))]
    response = [7, 11, 12][:count]
    cache = model(input_ids=QUESTION, video_features=features).past_key_values
    for token in response:
        one_by_one = model(input_ids=prompt(token), past_key_values=cache).logits[0, -1]
    cache = model(input_ids=QUESTION, video_features=features).past_key_values
    at_once = model(input_ids=prompt(*response), past_key_values=cache).logits[0, -1]
    torch.testing.assert_close(at_once, one_by_one, **TOLERANCE)


@pytest.mark.parametrize("slow_in_decoding", [True, False])
def test_guessing_ahead_changes_no_answer(model, frames, slow_in_decoding: bool) -> None:
    """transformers' prompt lookup verifies several response tokens in one pass."""
    model.config.decode_slow_attention = slow_in_decoding
    features = [model.encode_video(frames(8))]
    greedy = model.generate(QUESTION, video_features=features, max_new_tokens=12)
    ahead = model.generate(QUESTION, video_features=features, max_new_tokens=12, prompt_lookup_num_tokens=3)
    assert torch.equal(ahead, greedy)


def test_gradients_reach_the_slow_path_and_labels_follow_their_tokens(model, frames) -> None:
    labels = torch.full_like(QUESTION, -100)
    labels[0, -1] = 9
    with torch.enable_grad():
        model.train()
        output = model(input_ids=QUESTION, pixel_values_videos=[frames(8)], labels=labels)
        output.loss.backward()
    model.eval()
    logits = model(input_ids=QUESTION, pixel_values_videos=[frames(8)]).logits
    torch.testing.assert_close(
        output.loss, torch.nn.functional.cross_entropy(logits[0, -2:-1], labels[0, -1:])
    )
    attention = model.model.layers[0].self_attn
    for parameter in (attention.cross_attn_kv_proj.weight, attention.cross_attn_warm_up_gate):
        assert parameter.grad is not None
        assert parameter.grad.abs().max() > 0


def test_a_cache_is_transformers_own_kind(model, frames) -> None:
    from transformers import Cache

    output = model(input_ids=QUESTION, pixel_values_videos=[frames(8)])
    assert isinstance(output.past_key_values, SlowFastCache)
    assert isinstance(output.past_key_values, Cache)
    assert output.past_key_values.get_seq_length() == output.logits.shape[1]
