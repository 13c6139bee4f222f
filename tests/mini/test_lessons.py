"""What the decoder learns from is what the harness will ask: same prompts, same pixels, same arithmetic."""

from __future__ import annotations

import random

import pytest
import torch

from sf_eval.editions.phrasing import wordings
from sf_eval.editions.questions import KINDS, most_options
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.training.decoder import AuxiliaryHeads, adopt_slow_path, forward
from sf_eval.training.footage import Video, watch
from sf_eval.training.lessons import Asker, Teacher
from sf_eval.training.packing import pack
from sf_eval.training.stages import pick


@pytest.mark.parametrize("kind", KINDS)
def test_a_lesson_is_a_prompt_of_the_harness_with_its_truth(
    kind: str, footage: list[Video], teacher: Teacher, load
) -> None:
    processor: SlowFastProcessor = load("mini").processor
    for number in range(12):
        scene = footage[number].scene
        document, question, prompt = Asker(f"{kind} {number}").ask(scene, kind)
        lesson = teacher.lesson(Asker(f"{kind} {number}"), scene, kind)
        whole = processor.tokenize(prompt)[0].tolist()
        assert whole == [*teacher.prefix, -200, *lesson.ids]
        assert question.text in wordings(kind, "train")
        assert len(question.options) <= most_options(kind)
        assert len(set(question.options)) == len(question.options)
        assert processor.decode([lesson.letter]) == document.answer == question.letter
        # The token that ends a line may hold the sentence's full stop too.
        read = processor.decode(lesson.ids[: lesson.question_end + 1])
        assert read.endswith(question.text)
        for option, end in zip(question.options, lesson.option_ends, strict=True):
            assert processor.decode(lesson.ids[: end + 1]).rstrip(".").endswith(option)


def test_the_training_computes_what_the_model_computes(footage: list[Video], teacher: Teacher, load) -> None:
    """Prefix and video once, questions after them, several in a batch: the logits of the whole prompt."""
    for name in ("mini", "mini-16f", "mini-pooled"):
        loaded = load(name)
        model = loaded.model
        scenes = [video.scene for video in footage if len(video.features) == 40][:2]
        frames = [loaded.processor.preprocess(watch(scene, loaded.processor.image_size)) for scene in scenes]
        with torch.no_grad():
            features = torch.stack([model.model.vision_tower(video) for video in frames])
            asker = Asker("agreement")
            lessons = [teacher.lesson(asker, scene, kind) for scene in scenes for kind in KINDS]
            output = forward(model, AuxiliaryHeads(96), features, teacher.prefix, pack(lessons))
            for row, lesson in enumerate(lessons):
                whole = torch.tensor([[*teacher.prefix, -200, *lesson.ids]])
                video = frames[row // len(KINDS)]
                expected = model(input_ids=whole, pixel_values_videos=[video], logits_to_keep=1).logits[0, -1]
                assert torch.allclose(output.letters[row], expected, atol=2e-4), (name, lesson.kind)


def test_a_slow_path_that_was_adopted_reads_slow_tokens_as_fast_ones(load) -> None:
    model = load("mini").model
    adopt_slow_path(model)
    slow = torch.randn(1, 7, 96)
    for index in model.config.hybrid_layers:
        layer = model.model.layers[index]
        key, value = layer.project_slow(slow)
        normed = layer.input_layernorm(slow)
        split = (1, 7, -1, layer.self_attn.head_dim)
        assert torch.allclose(key, layer.self_attn.k_proj(normed).view(split).transpose(1, 2), atol=1e-5)
        assert torch.allclose(value, layer.self_attn.v_proj(normed).view(split).transpose(1, 2), atol=1e-5)


def test_sixteen_frames_are_those_of_the_published_rule(footage: list[Video]) -> None:
    from sf_eval.video import published_indices

    for video in footage:
        ticks = pick(video, "sixteen", 16, random.Random(0))
        scene = video.scene
        assert [scene.ticks[tick] for tick in ticks] == published_indices(
            scene.num_frames, float(scene.fps), num_frames=16
        )
