"""Second stage: the decoder learns to answer from the frozen tower's tokens, pooled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from sf_eval.editions.questions import KINDS
from sf_eval.inference.families.places import Run, multimodal
from sf_eval.model.attach.grids import VideoGrid
from sf_eval.model.attach.settings import SlowPathSettings
from sf_eval.training.decoder import A_LAYER, O_LAYER, AuxiliaryHeads, Output
from sf_eval.training.footage import Video
from sf_eval.training.lessons import Asker, Lesson, Teacher
from sf_eval.training.mini_qwen.recipe import pairs_shown
from sf_eval.training.packing import QuestionBatch, pack
from sf_eval.training.stages import Stage, Trainer

_SLOWEST = 2.0  # places from a pair to the next, of 128 frames of two minutes; 1.0 at two frames a second


@dataclass(frozen=True)
class Shown:
    """Videos of one shape as a prompt has them.

    Attributes:
        tokens: [B, T, h, w, D], pooled.
        interval: places from one of the T to the next.
    """

    tokens: torch.Tensor
    interval: float


class QwenTrainer(Trainer):
    """A trainer whose model is of the Qwen2.5-VL class; videos' features are [P, h, w, D].

    Args:
        pooling: of the videos' features to what a prompt has.
    """

    def __init__(
        self, model: Any, heads: AuxiliaryHeads, *, pooling: SlowPathSettings, **others: Any
    ) -> None:
        super().__init__(model, heads, **others)
        self._pooling = pooling

    def _draw(self, stage: Stage, step: int, rng: random.Random) -> tuple[Shown, list[Lesson]]:
        count = pairs_shown(step, self._budget)
        fitting = [video for video in self._videos if len(video.features) >= count]
        shape = rng.choice(fitting).features.shape[1:]
        alike = [video for video in fitting if video.features.shape[1:] == shape]
        chosen = rng.sample(alike, min(self._budget.batch_videos, len(alike)))
        asker = Asker(f"{self._seed} {stage.name} {step}")
        lessons = [
            self._teacher.lesson(asker, video.scene, kind)
            for video in chosen
            for kind in self._draw_kinds(stage, rng)
        ]
        shown = show(chosen, count, rng, self._pooling, interval=rng.uniform(1, _SLOWEST))
        return shown, lessons

    def _forward(self, features: Shown, questions: QuestionBatch) -> Output:
        return forward(self.model, self.heads, features, self._teacher.prefix, questions)


def show(
    videos: Sequence[Video], count: int, rng: random.Random, pooling: SlowPathSettings, *, interval: float
) -> Shown:
    """`count` pairs of each of some videos of one shape; `interval` is that of pairs that are not pooled."""
    pooled = [VideoGrid(video.features[pick(video, count, rng)].float()).pooled(pooling) for video in videos]
    return Shown(
        torch.stack([grid.tokens for grid in pooled]), interval * min(pooling.temporal_stride, count)
    )


def pick(video: Video, count: int, rng: random.Random) -> list[int]:
    """Numbers of the pairs that are shown, in order: every brief event, the end, others by lot."""
    total = len(video.features)
    if count >= total:
        return list(range(total))
    kept = {video.scene.disc_tick // 2, video.scene.bars_tick // 2, total - 1}
    others = [pair for pair in range(total) if pair not in kept]
    return sorted(kept | set(rng.sample(others, count - len(kept))))


def forward(
    model: Any, heads: AuxiliaryHeads, shown: Shown, prefix: Sequence[int], questions: QuestionBatch
) -> Output:
    """Logits of K questions about each of B videos, at the places where the harness puts them.

    Args:
        prefix: tokens before the video.
    """
    words = model.get_input_embeddings()
    videos = shown.tokens.flatten(1, 3)  # [B, F, D]
    count = len(videos)
    start, (pairs, height, width) = len(prefix), shown.tokens.shape[1:4]
    places = multimodal(
        start + videos.shape[1],
        [Run(start, (pairs, height, width))],
        interval=shown.interval,
        rule="trained",
    )
    before = words(torch.tensor(prefix)).expand(count, -1, -1)
    cache = DynamicCache(config=model.config.get_text_config())
    model.model(
        inputs_embeds=torch.cat([before, videos], dim=1),
        position_ids=places.ids[:, None].expand(-1, count, -1),
        past_key_values=cache,
        use_cache=True,
    )
    cache.batch_repeat_interleave(len(questions.ids) // count)
    after = torch.arange(questions.ids.shape[1]) + places.text
    output = model.model(
        inputs_embeds=words(questions.ids),
        position_ids=after.expand(3, len(questions.ids), -1),
        past_key_values=cache,
        use_cache=True,
        output_hidden_states=True,
    )
    states, final = output.hidden_states, output.last_hidden_state
    rows = torch.arange(len(questions.ids))
    return Output(
        letters=model.lm_head(final[rows, questions.letter_at]),
        ends=model.lm_head(final[rows, questions.letter_at + 1]),
        answers=heads.answers(states[A_LAYER][rows, questions.question_at]),
        options=heads.options(states[O_LAYER][questions.option_at[:, 0], questions.option_at[:, 1]]),
    )


@torch.no_grad()
def examine(
    model: Any,
    heads: AuxiliaryHeads,
    videos: Sequence[Video],
    teacher: Teacher,
    count: int,
    pooling: SlowPathSettings,
) -> dict[str, float]:
    """Percent of right letters a kind, on videos of at least so many pairs that were not trained on."""
    rng, asker = random.Random("examination"), Asker("examination")
    right: dict[str, list[bool]] = {kind: [] for kind in KINDS}
    for video in videos:
        if len(video.features) < count:
            continue
        lessons = [teacher.lesson(asker, video.scene, kind) for kind in KINDS]
        questions = pack(lessons)
        shown = show([video], count, rng, pooling, interval=1.0)
        output = forward(model, heads, shown, teacher.prefix, questions)
        hits = (output.letters.argmax(-1) == questions.letters).tolist()
        for lesson, hit in zip(lessons, hits, strict=True):
            right[lesson.kind].append(hit)
    return {kind: round(100 * sum(hits) / len(hits), 1) for kind, hits in right.items() if hits}
