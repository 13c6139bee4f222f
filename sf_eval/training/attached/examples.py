"""From questions about videos to what an attached model learns from, by the harness's own prompts."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from sf_eval.inference.families.transformers_model import TransformersVideoModel
from sf_eval.inference.families.transformers_video import EncodedVideo
from sf_eval.model.attach.grids import VideoGrid
from sf_eval.training.attached.examining import IGNORED
from sf_eval.training.attached.questions import TrainingQuestion
from sf_eval.video import Clip, ClipLoader, ClipPlan


class Examples:
    """Draws a step's questions. A video goes through the tower once, and again when it is out of the cache.

    Args:
        model: attached already.
        loader: decodes by the model's rule, in a process of its own.
        count: questions a step.
        cache_bytes: of video tokens kept in memory.
    """

    def __init__(
        self,
        model: TransformersVideoModel,
        questions: Sequence[TrainingQuestion],
        loader: ClipLoader,
        *,
        seed: int,
        count: int,
        cache_bytes: int,
        chunk_frames: int = 16,
    ) -> None:
        self._model, self._questions, self._loader = model, questions, loader
        self._seed, self._count, self._chunk_frames = seed, min(count, len(questions)), chunk_frames
        self._room, self._videos = cache_bytes, OrderedDict[Path, EncodedVideo]()

    def draw(self, step: int) -> list[dict[str, Any]]:
        """The questions of a step, by lot from its number.

        Raises:
            VideoError: a video that cannot be decoded.
        """
        lots = random.Random(f"{self._seed} {step}")
        return [self.inputs(question) for question in lots.sample(self._questions, self._count)]

    def inputs(self, question: TrainingQuestion) -> dict[str, Any]:
        """What the attached model takes for the question with its answer, and labels on the answer.

        Raises:
            VideoError: a video that cannot be decoded.
        """
        model, video = self._model, self._video(question.video)
        prompt, starts = model.writer.ids(question.prompt, video.placeholder)
        tokenizer = model.processor.tokenizer
        answer = [
            *tokenizer(question.answer, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id,
        ]  # fmt: skip
        places = model.places_of(len(prompt), starts, video)
        after = torch.arange(len(answer)) + places.generated
        at = torch.cat([places.ids, after.expand(*places.ids.shape[:-1], -1)], dim=-1).to(model.device)
        ids = torch.tensor([[*prompt, *answer]], device=model.device)
        mask = torch.ones_like(ids)
        at = at[None] if at.ndim == 1 else at[:, None]
        labels = ids.clone()
        labels[:, : len(prompt)] = IGNORED
        layout = model.traits.layout
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "position_ids": at,
            "mm_encoder_outputs": {layout.modality: layout.pack([video.fast])},
            "slow": model.slow_context_of(ids, mask, at, video),
            "labels": labels,
        }

    def _video(self, path: Path) -> EncodedVideo:
        found = self._videos.pop(path, None)
        if found is None:
            frames = self._loader.load(Clip(path))
            pixels = torch.from_numpy(frames.pixels).to(self._model.device)
            shown = ClipPlan(frames.info, frames.indices, frames.times_s)
            encoded = self._model.encode(pixels, shown, chunk_frames=self._chunk_frames)
            # Tensors of inference mode cannot be learned from.
            slow = None if encoded.slow is None else encoded.slow.map(torch.clone)
            found = replace(encoded, fast=encoded.fast.map(torch.clone), slow=slow)
        self._videos[path] = found
        while len(self._videos) > 1 and sum(map(_size, self._videos.values())) > self._room:
            self._videos.popitem(last=False)
        return found


def _size(video: EncodedVideo) -> int:
    grids = [video.fast] if video.slow is None else [video.fast, video.slow]
    return sum(map(_bytes, grids))


def _bytes(grid: VideoGrid) -> int:
    return sum(tensor.nbytes for tensor in (grid.tokens, *grid.deepstack))
