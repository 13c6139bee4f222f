"""Text between the runs of fast tokens: where it stands, and that none of it is the plain prompt."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sf_eval.core.cards import load_card
from sf_eval.core.paths import PACKAGE
from sf_eval.inference.families.interleaving import fast_frames, interleaved, marked
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.family import Asked
from sf_eval.model.errors import PromptError
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.model.modeling import SlowFastForConditionalGeneration
from sf_eval.model.tokens import VideoFeatures
from sf_eval.profiler.cost.tokens import fast_windows

CASES = PACKAGE / "assets" / "recorded" / "model"
VIDEO, QUESTION = -200, [7, 8, 9]


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def load():
    """A recorded case's model in float32."""
    return lambda name: SlowFastForConditionalGeneration.from_pretrained(CASES / name, dtype=torch.float32)


@pytest.fixture
def frames():
    """Seeded normalised frames [count, 3, 128, 128]."""
    return lambda count: torch.randn(count, 3, 128, 128, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def mini() -> LoadedModel:
    return load_model(load_card("mini"), dtype=torch.float32)


@pytest.fixture(scope="module")
def seen(mini: LoadedModel) -> VideoFeatures:
    """A video of 8 frames, a fast token each."""
    size = mini.processor.image_size
    with torch.no_grad():
        return mini.model.encode_video(
            torch.randn(8, 3, size, size, generator=torch.Generator().manual_seed(1))
        )


def parts(video: VideoFeatures) -> list[object]:
    """Words and lengths of runs as they stand; the line break before the prompt is the prompt's."""
    found: list[object] = [video.words[0]]
    for run, words in zip(video.run_lengths, video.words[1:], strict=True):
        found += [run, words]
    return found


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], ["", 8, ""]),
        ([(3.0, "a")], ["", 4, "\na\n", 4, ""]),  # behind the frame of its own time
        ([(-1.0, "a")], ["a\n", 8, ""]),
        ([(99.0, "a")], ["", 8, "\na"]),
        ([(0.5, "a"), (0.9, "b"), (6.5, "c")], ["", 1, "\na\nb\n", 6, "\nc\n", 1, ""]),
        (
            [(5.0, "late"), (1.0, "early")],
            ["", 6, "\nlate\nearly\n", 2, ""],
        ),  # the order given, as the authors'
    ],
)
def test_where_lines_stand(mini: LoadedModel, seen: VideoFeatures, said: list, expected: list) -> None:
    found = interleaved(seen, mini.model.config, [float(at) for at in range(8)], said)
    assert parts(found) == expected
    assert torch.equal(found.fast_tokens, seen.fast_tokens)
    assert torch.equal(found.slow_tokens, seen.slow_tokens)


def test_a_fast_frame_stands_at_the_mean_time_of_its_frames(load) -> None:
    """Windows of 4 of 8 frames: their means are 1.5 and 5.5 s."""
    model: SlowFastForConditionalGeneration = load("s1t4_f8")
    video = model.encode_video(torch.zeros(8, 3, 128, 128))
    each = video.fast_tokens.shape[0] // 2
    times = [float(at) for at in range(8)]
    assert parts(interleaved(video, model.config, times, [(1.4, "a")])) == ["a\n", 2 * each, ""]
    assert parts(interleaved(video, model.config, times, [(1.5, "a")])) == ["", each, "\na\n", each, ""]


@pytest.mark.parametrize("case", ["s1t4_f8", "s1t6_f13_minfast4", "spatial2"])
@pytest.mark.parametrize("count", [1, 2, 3, 8, 13])
def test_fast_frames_are_those_of_the_profiler(load, case: str, count: int) -> None:
    config = load(case).config
    assert fast_frames(config, count) == fast_windows(
        count,
        sampling_stride=config.fast_token_temporal_sampling_stride or 1,
        temporal_stride=config.fast_token_temporal_stride or 1,
        min_fast_frames=config.min_fast_frames or 1,
    )


@pytest.mark.parametrize("case", ["s1t4_f8", "masksystem", "spatial2"])
def test_runs_with_nothing_between_are_the_plain_prompt_bit_for_bit(load, frames, case: str) -> None:
    model: SlowFastForConditionalGeneration = load(case)
    video = model.encode_video(frames(8))
    count = video.fast_tokens.shape[0]
    split = replace(video, runs=(1, count - 2, 1), words=("", "", "", ""))
    plain = model(torch.tensor([[5, 6, VIDEO, *QUESTION]]), video_features=[video])
    cut = model(torch.tensor([[5, 6, VIDEO, VIDEO, VIDEO, *QUESTION]]), video_features=[split])
    assert torch.equal(plain.logits, cut.logits)


def test_words_between_runs_are_read_as_text_that_queries_slow_tokens(load, frames) -> None:
    """The tokens between stand where they should, and see the slow path."""
    model: SlowFastForConditionalGeneration = load("s1t4_f8")
    video = model.encode_video(frames(8))
    count = video.fast_tokens.shape[0]
    split = replace(video, runs=(1, count - 1), words=("", "", ""))
    ids = torch.tensor([[5, VIDEO, 11, 12, VIDEO, *QUESTION]])
    prompt = model.embed_prompt(ids, None, [split])
    words = model.get_input_embeddings()(torch.tensor([[11, 12]]))
    assert torch.equal(prompt.inputs_embeds[0, 1], video.fast_tokens[0])
    assert torch.equal(prompt.inputs_embeds[:, 2:4], words)
    assert torch.equal(prompt.inputs_embeds[0, 4 : 3 + count], video.fast_tokens[1:])
    assert model.prompt_length(ids, split) == prompt.inputs_embeds.shape[1] == count + 6
    seen = model(ids, video_features=[split]).logits
    blind = model(
        ids, video_features=[replace(split, slow_tokens=torch.zeros_like(split.slow_tokens))]
    ).logits
    assert not torch.allclose(seen[0, 2:4], blind[0, 2:4], atol=1e-6)


def test_placeholders_and_runs_must_agree(load, frames) -> None:
    model: SlowFastForConditionalGeneration = load("s1t4_f8")
    video = model.encode_video(frames(8))
    split = replace(video, runs=(1, video.fast_tokens.shape[0] - 1), words=("", "", ""))
    with pytest.raises(PromptError, match="1 placeholders for 2 parts"):
        model(torch.tensor([[VIDEO, *QUESTION]]), video_features=[split])
    with pytest.raises(PromptError, match="2 video placeholders"):
        model(torch.tensor([[VIDEO, 5, VIDEO, *QUESTION]]), video_features=[video])


def test_an_interleaved_video_answers_the_same_shared_and_whole(
    mini: LoadedModel, seen: VideoFeatures
) -> None:
    """All questions share one prefix, words included; the last words stand behind the frames."""
    model = SlowFastVideoModel(mini)
    times = [float(at) for at in range(8)]
    video, text = model.interleaved(seen, times, [(2.0, "Here it begins."), (99.0, "That was all.")])
    assert (
        text
        == marked(video)
        == ("<video: 3 fast tokens>\nHere it begins.\n<video: 5 fast tokens>\nThat was all.")
    )
    asked = ["Which way?\nA. Up\nB. Down", "What colour?\nA. Red\nB. Blue\nC. Green"]
    prefix = model.prefix(video)
    shared = model.answer([Asked(text, video, prefix, 4) for text in asked])
    whole = [model.answer([Asked(text, video, None, 4)])[0] for text in asked]
    assert [(one.text, one.prompt_tokens, one.visual_tokens) for one in shared] == [
        (one.text, one.prompt_tokens, one.visual_tokens) for one in whole
    ]
    plain = model.answer([Asked(asked[0], seen, model.prefix(seen), 4)])[0]
    assert shared[0].prompt_tokens is not None
    assert plain.prompt_tokens is not None
    assert shared[0].prompt_tokens > plain.prompt_tokens


def test_prefixes_of_the_same_length_with_other_runs_are_asked_together(
    mini: LoadedModel, seen: VideoFeatures
) -> None:
    """Another line is another run of frames: as many tokens in all, and one id more before the model."""
    model, times = SlowFastVideoModel(mini), [float(at) for at in range(8)]
    said = ([(1.0, "red red")], [(1.0, "red"), (3.0, "a")])
    videos = [model.interleaved(seen, times, lines)[0] for lines in said]
    assert [len(video.run_lengths) for video in videos] == [2, 3]
    later = [Asked("Which way?", video, model.prefixes(video, ["Which way?"])[0], 4) for video in videos]
    together = model.answer(later)
    assert together[0].prompt_tokens == together[1].prompt_tokens
    alone = [model.answer([Asked("Which way?", video, model.prefix(video), 4)])[0] for video in videos]
    assert [one.text for one in together] == [one.text for one in alone]


def test_nothing_said_is_the_very_same_video(mini: LoadedModel, seen: VideoFeatures) -> None:
    video, text = SlowFastVideoModel(mini).interleaved(seen, [float(at) for at in range(8)], [])
    assert video is seen
    assert text == ""
