"""Questions that share a prefix get the answers of whole prompts."""

from __future__ import annotations

import threading

import pytest
import torch

from sf_eval.core.cards import load_card
from sf_eval.core.errors import UsageError
from sf_eval.model import SlowFastCache, SlowFastForConditionalGeneration, VideoFeatures
from sf_eval.model.cache import join_rows
from sf_eval.model.errors import PromptError, PromptTooLongError
from sf_eval.model.loading import load_model
from sf_eval.model.shared_prefix import (
    Prefix,
    SharedAnswer,
    answer_suffixes,
    prefill_prefix,
    prefill_prefixes,
    prefill_suffixes,
    split_prompt,
)

Model = SlowFastForConditionalGeneration
Asked = tuple[VideoFeatures | None, list[int]]
VARIANTS = (
    "s1t4_f8",  # slow-fast as released
    "s1t6_f13_minfast4",
    "spatial2",
    "masksystem",
    "no_tanh_gate",
    "layers_1_to_4",
)
BEFORE = [5, 6, 17, -200]
SUFFIXES = [[7, 8, 9], [30], [4, 3, 2, 11, 12, 13, 14], [7, 8]]
NEW = 5


def whole(model: Model, question: Asked) -> tuple[torch.Tensor, list[int]]:
    """First logits and greedy ids of one prompt, nothing shared."""
    features, ids = question
    prompt = torch.tensor([ids])
    output = model.generate(
        prompt, video_features=[features], max_new_tokens=NEW, do_sample=False, eos_token_id=-1,
        return_dict_in_generate=True, output_logits=True,
    )  # fmt: skip
    return output.logits[0][0], output.sequences[0, prompt.shape[1] :].tolist()


def shared(model: Model, questions: list[Asked], text: int) -> tuple[list[torch.Tensor], list[list[int]]]:
    """The same of all prompts in one batch, with one prefix per video, so many tokens of text included."""
    prefixes: dict[int, Prefix] = {}
    asked = []
    for features, ids in questions:
        before, suffix = split_prompt(ids)
        before, suffix = [*before, *suffix[:text]], suffix[text:]
        if id(features) not in prefixes:
            prefixes[id(features)] = prefill_prefix(model, before, features)
        asked.append((prefixes[id(features)], suffix))
    batch = prefill_suffixes(model, asked)
    first = dict(zip(batch.order, batch.logits, strict=True))
    answers = answer_suffixes(model, asked, max_new_tokens=NEW, stop_ids=[])
    return [first[index] for index in range(len(asked))], [list(answer.token_ids) for answer in answers]


def assert_same(model: Model, questions: list[Asked], *, text: int = 0) -> None:
    logits, ids = shared(model, questions, text)
    for found, found_ids, question in zip(logits, ids, questions, strict=True):
        wanted, wanted_ids = whole(model, question)
        assert found_ids == wanted_ids
        if model.dtype == torch.float64:
            assert torch.equal(found.float(), wanted.float())
        else:
            assert (found - wanted).abs().max() <= 5e-6 * max(1.0, float(wanted.abs().max()))


def questions_about(model: Model, frames) -> list[Asked]:
    """Questions about a video, a longer one and an image, mixed, and one without a video."""
    features = [model.encode_video(frames(count, seed=count)) for count in (8, 13, 1)]
    mixed = [(item, [*BEFORE, *suffix]) for suffix in SUFFIXES[:3] for item in features]
    return [*mixed, (None, [5, 6, 7, 8, 9])]


# In float64 to the last bit; float32 once, and in the mini models below. The other variants in thorough.
_FIRST = (*((VARIANTS[0], dtype) for dtype in (torch.float32, torch.float64)), ("masksystem", torch.float64))


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param(
            case,
            dtype,
            marks=() if (case, dtype) in _FIRST else pytest.mark.thorough,
        )
        for case in VARIANTS
        for dtype in (torch.float32, torch.float64)
    ],
)
def test_shared_prefixes_give_the_answers_of_whole_prompts(load, frames, case: str, dtype) -> None:
    model = load(case).to(dtype)
    assert_same(model, questions_about(model, frames))


@pytest.mark.parametrize(
    "setting",
    [
        {"decode_slow_attention": False},
        {"slow_path": "off"},
        {"slow_rope": "own"},
        {"cross_attn_implementation": "vanilla"},
        {"tokenizer_padding_side": "left"},
    ],
    ids=str,
)
def test_every_switch_holds_with_sharing(model, frames, setting: dict[str, object]) -> None:
    for key, value in setting.items():
        setattr(model.config, key, value)
    assert_same(model, questions_about(model, frames))


@pytest.mark.parametrize("case", ["s1t4_f8", "masksystem"])
def test_text_after_the_video_may_be_part_of_the_prefix(load, frames, case: str) -> None:
    """What all questions about it begin with: instructions, subtitles."""
    model = load(case).to(torch.float64)
    subtitles = [21, 22, 23, 24, 25, 26]
    videos = [model.encode_video(frames(count, seed=count)) for count in (8, 13)]
    questions: list[Asked] = [
        (video, [*BEFORE, *subtitles, *suffix]) for suffix in SUFFIXES for video in videos
    ]
    assert_same(model, questions, text=len(subtitles))


@pytest.mark.parametrize("case", ["s1t4_f8", "s1t6_f13_minfast4", "masksystem"])
def test_prefixes_prefilled_together_are_those_prefilled_alone(load, frames, case: str) -> None:
    model = load(case).to(torch.float64)
    videos = [model.encode_video(frames(count, seed=seed)) for seed, count in enumerate((12, 13, 12, 40))]
    alike = [video for video in videos if len(video.fast_tokens) == len(videos[0].fast_tokens)]
    assert len({len(video.slow_tokens) for video in alike[:3]}) == 2  # of other lengths beside the prompt
    together = prefill_prefixes(model, [(BEFORE, video) for video in alike])
    alone = [prefill_prefix(model, BEFORE, video) for video in alike]
    for one, other in zip(together, alone, strict=True):
        assert (one.tokens, one.fast_tokens) == (other.tokens, other.fast_tokens)
        assert one.cache.slow_lengths == other.cache.slow_lengths
    batches = [prefill_suffixes(model, list(zip(prefixes, SUFFIXES, strict=False)))
               for prefixes in (together, alone)]  # fmt: skip
    torch.testing.assert_close(batches[0].logits, batches[1].logits, rtol=1e-12, atol=1e-12)
    (again,) = prefill_prefixes(model, [(BEFORE, alike[-1])])
    assert torch.equal(
        prefill_suffixes(model, [(again, SUFFIXES[0])]).logits,
        prefill_suffixes(model, [(alone[-1], SUFFIXES[0])]).logits,
    )
    for part in (prefix.cache.parts[0] for prefix in together):  # nobody holds another's
        for kept in (*part.keys.values(), *part.values.values()):
            assert kept.untyped_storage().nbytes() == kept.numel() * kept.element_size()
    with pytest.raises(PromptError, match="several lengths"):
        prefill_prefixes(model, [(BEFORE, videos[0]), (BEFORE, videos[3])])


@pytest.mark.thorough
def test_eager_attention_shares_too(load, frames) -> None:
    model = load("s1t4_f8", attn_implementation="eager")
    assert_same(model, questions_about(model, frames))


@pytest.mark.parametrize("count", [1, 3])
def test_questions_of_one_video_without_padding(model, frames, count: int) -> None:
    features = model.encode_video(frames(8))
    assert_same(model, [(features, [*BEFORE, 7, 8, 9 + index]) for index in range(count)])


def test_text_alone_may_share_a_system_prompt(model) -> None:
    prefix = prefill_prefix(model, [5, 6, 7])
    answers = answer_suffixes(
        model, [(prefix, suffix) for suffix in SUFFIXES], max_new_tokens=NEW, stop_ids=[]
    )
    for answer, suffix in zip(answers, SUFFIXES, strict=True):
        assert list(answer.token_ids) == whole(model, (None, [5, 6, 7, *suffix]))[1]


@pytest.mark.parametrize(
    "name",
    [
        "mini",
        "mini-16f",
        # The second's structure with other weights, and the first with its slow path off (a switch, above).
        pytest.param("mini-pooled", marks=pytest.mark.thorough),
        pytest.param("mini-self-attention", marks=pytest.mark.thorough),
    ],
)
def test_the_mini_models_answer_alike(name: str) -> None:
    loaded = load_model(load_card(name), dtype=torch.float32)
    model, processor = loaded.model, loaded.processor
    side, count = processor.image_size, loaded.card.num_frames
    made = torch.Generator().manual_seed(0)
    videos = [model.encode_video(torch.randn(count, 3, side, side, generator=made)) for _ in range(2)]
    prompts = ["What happens?\nA. Red\nB. Blue", "Which colour comes last?", "How many?\nA. 1\nB. 2\nC. 3"]
    questions = [(video, processor.tokenize(text)[0].tolist()) for text in prompts for video in videos]
    assert_same(model, questions)


def test_a_prefix_is_never_changed_and_serves_threads_and_batches(model, frames) -> None:
    features = model.encode_video(frames(8))
    prefix = prefill_prefix(model, BEFORE, features)
    kept = [layer.keys.clone() for layer in prefix.cache.layers]

    def ask() -> list[SharedAnswer]:
        return answer_suffixes(
            model, [(prefix, suffix) for suffix in SUFFIXES], max_new_tokens=NEW, stop_ids=[]
        )

    expected = [answer.token_ids for answer in ask()]
    found: list[list[tuple[int, ...]]] = []
    threads = [
        threading.Thread(target=lambda: found.append([answer.token_ids for answer in ask()]))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
    assert prefix.cache.get_seq_length() == prefix.tokens
    assert all(torch.equal(layer.keys, keys) for layer, keys in zip(prefix.cache.layers, kept, strict=True))


def test_slow_keys_and_values_are_projected_once_and_never_copied(model, frames) -> None:
    calls = []
    model.model.layers[0].self_attn.cross_attn_kv_proj.register_forward_hook(lambda *_: calls.append(1))
    prefixes = [prefill_prefix(model, BEFORE, model.encode_video(frames(count))) for count in (8, 3)]
    batch = prefill_suffixes(model, [(prefixes[row % 2], suffix) for row, suffix in enumerate(SUFFIXES)])
    assert batch.order == (0, 2, 1, 3)
    answer_suffixes(model, [(prefix, [7]) for prefix in prefixes], max_new_tokens=3, stop_ids=[])
    assert calls == [1, 1]
    for part, prefix in zip(batch.cache.parts, prefixes, strict=True):
        (source,) = prefix.cache.parts
        assert len(part.lengths) == 2
        for layer in model.config.hybrid_layers:
            assert part.keys[layer] is source.keys[layer]
            assert part.values[layer] is source.values[layer]


def test_a_fork_expands_and_carries_everything(model, frames) -> None:
    features = [model.encode_video(frames(8))]
    cache = model(input_ids=torch.tensor([BEFORE]), video_features=features).past_key_values
    fork = cache.fork(3)
    assert isinstance(fork, SlowFastCache)
    assert fork.config is cache.config is model.config
    assert fork.slow_lengths == cache.slow_lengths * 3
    assert fork.get_seq_length() == cache.get_seq_length()
    for ours, kept in zip(fork.layers, cache.layers, strict=True):
        assert ours.keys.shape[0] == 3
        assert ours.keys.data_ptr() == kept.keys.data_ptr()  # until it is added to
    for layer, keys in fork.slow_keys.items():
        assert keys.shape == (3, *cache.slow_keys[layer].shape[1:])
        assert keys.data_ptr() == cache.slow_keys[layer].data_ptr()
        assert keys.stride(0) == 0
    tokens = torch.tensor([[7, 8], [9, 4], [3, 3]])
    logits = model(input_ids=tokens, past_key_values=fork, continues="prompt").logits[:, -1]
    for row, ids in zip(logits, tokens.tolist(), strict=True):
        expected = model(input_ids=torch.tensor([[*BEFORE, *ids]]), video_features=features).logits[0, -1]
        torch.testing.assert_close(row, expected, atol=2e-5, rtol=1e-4)


def test_rows_of_a_fork_can_be_picked_and_grow_on(model, frames) -> None:
    """As beams and dropping finished rows do; room and shared parts must not outlive what they describe."""
    videos = [[model.encode_video(frames(count))] for count in (8, 3)]
    caches = [
        model(input_ids=torch.tensor([BEFORE]), video_features=video).past_key_values for video in videos
    ]
    cache = join_rows([caches[0], caches[0], caches[1]], room=4)
    model(input_ids=torch.tensor([[7], [8], [9]]), past_key_values=cache, continues="prompt")
    cache.batch_select_indices(torch.tensor([2, 0]))
    mask = torch.ones(2, cache.get_seq_length() + 1, dtype=torch.long)
    short = caches[0].get_seq_length() - caches[1].get_seq_length()
    mask[0, :short] = 0
    logits = model(input_ids=torch.tensor([[4], [4]]), attention_mask=mask, past_key_values=cache).logits
    for row, (video, token) in enumerate(((videos[1], 9), (videos[0], 7))):
        ids = torch.tensor([[*BEFORE, token, 4]])
        expected = model(input_ids=ids, video_features=video).logits[0, -1]
        torch.testing.assert_close(logits[row, -1], expected, atol=2e-5, rtol=1e-4)


def test_answers_stop_where_they_are_told(model, frames) -> None:
    prefix = prefill_prefix(model, BEFORE, model.encode_video(frames(8)))
    asked = [(prefix, suffix) for suffix in SUFFIXES]
    free = answer_suffixes(model, asked, max_new_tokens=8, stop_ids=[])
    assert all((a.finish_reason, a.new_tokens, len(a.token_ids)) == ("length", 8, 8) for a in free)
    assert [answer.prompt_tokens for answer in free] == [prefix.tokens + len(suffix) for suffix in SUFFIXES]
    stop = free[0].token_ids[2]
    for answer, all_ids in zip(
        answer_suffixes(model, asked, max_new_tokens=8, stop_ids=[stop]), free, strict=True
    ):
        ids = list(all_ids.token_ids)
        wanted = ids[: ids.index(stop)] if stop in ids else ids
        assert list(answer.token_ids) == wanted
        assert answer.finish_reason == ("stop" if stop in ids else "length")
        assert answer.new_tokens == len(wanted) + (stop in ids)
    limits = [1, 3, 8, 2]
    for answer, limit, all_ids in zip(
        answer_suffixes(model, asked, max_new_tokens=limits, stop_ids=[]), limits, free, strict=True
    ):
        assert answer.token_ids == all_ids.token_ids[:limit]
    assert all(answer.first_token_s > 0 <= answer.later_tokens_s for answer in free)


def test_an_answer_that_is_not_finite_says_so_and_its_neighbours_answer(model, frames) -> None:
    features = model.encode_video(frames(8))
    broken = VideoFeatures(features.fast_tokens * float("nan"), features.slow_tokens, features.num_frames)
    prefixes = [prefill_prefix(model, BEFORE, item) for item in (features, broken)]
    good, bad = answer_suffixes(
        model, [(prefix, [7, 8]) for prefix in prefixes], max_new_tokens=4, stop_ids=[]
    )
    assert (good.finite, bad.finite) == (True, False)
    assert bad.token_ids == ()
    assert list(good.token_ids) == whole(model, (features, [*BEFORE, 7, 8]))[1][:4]


def test_what_cannot_be_asked_is_said(model, frames) -> None:
    features = model.encode_video(frames(8))
    prefix = prefill_prefix(model, BEFORE, features)
    assert answer_suffixes(model, [], max_new_tokens=3, stop_ids=[]) == []
    for suffix, named in (([], "nothing after"), ([3, -200], "placeholder after")):
        with pytest.raises(PromptError, match=f"prompt 1 has .*{named}"):
            answer_suffixes(model, [(prefix, [7]), (prefix, suffix)], max_new_tokens=3, stop_ids=[])
    for limits in (0, [1, 0], [1]):
        with pytest.raises(PromptError, match="max_new_tokens"):
            answer_suffixes(model, [(prefix, [7])] * 2, max_new_tokens=limits, stop_ids=[])
    with pytest.raises(PromptError, match="no placeholder"):
        prefill_prefix(model, [5], features)
    with pytest.raises(PromptError, match="no video"):
        prefill_prefix(model, BEFORE)
    model.config.tokenizer_model_max_length = prefix.tokens + 3
    assert answer_suffixes(model, [(prefix, [7] * 3)], max_new_tokens=3, stop_ids=[])
    with pytest.raises(PromptTooLongError, match=rf"{prefix.tokens + 4} tokens \({prefix.fast_tokens} of"):
        answer_suffixes(model, [(prefix, [7] * 4)], max_new_tokens=3, stop_ids=[])
    model.config.tokenizer_model_max_length = len(BEFORE)
    with pytest.raises(PromptTooLongError):
        prefill_prefix(model, BEFORE, features)


def test_only_the_last_position_s_logits_are_computed(model, frames) -> None:
    lengths = []
    model.lm_head.register_forward_hook(lambda _module, inputs, _output: lengths.append(inputs[0].shape[1]))
    prefix = prefill_prefix(model, BEFORE, model.encode_video(frames(8)))
    answer_suffixes(model, [(prefix, suffix) for suffix in SUFFIXES], max_new_tokens=3, stop_ids=[])
    assert lengths == [1, 1, 1, 1]


def test_a_sliding_window_is_refused(load, frames) -> None:
    model = load("s1t4_f8")
    model.config.use_sliding_window = True
    with pytest.raises(UsageError, match="sliding"):
        prefill_prefix(model, BEFORE, model.encode_video(frames(2)))
