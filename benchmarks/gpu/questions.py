"""The mini edition's questions without files: its scenes are drawn, not encoded and decoded.

So they need no PyAV, and every machine sees the very same pixels.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.core.resize import Resize
from sf_eval.editions.scene import Scene, draw
from sf_eval.editions.videomme import videomme
from sf_eval.inference import Failure, Question
from sf_eval.inference.engine import Engine
from sf_eval.inference.families import rule_of
from sf_eval.inference.families.slow_fast import SlowFastVideoModel
from sf_eval.inference.question import QuestionKey
from sf_eval.model.loading import LoadedModel
from sf_eval.video import Clip, Frames, SamplingRule, VideoError, VideoInfo
from sf_eval.video.sampling import rule_indices


@dataclass(frozen=True)
class Asked:
    """A question of the mini edition, and the letter that answers it."""

    question: Question
    truth: str


class DrawnSource:
    """In the place of a `ClipPool`: draws and resizes the frames that the rule takes of a clip's scene."""

    def __init__(self, scenes: dict[Path, Scene], rule: SamplingRule, resize: Resize) -> None:
        self.scenes = scenes
        self.rule = rule
        self.resize = resize
        self._drawn: dict[Path, Frames] = {}

    def in_order(self, clips: Iterable[Clip]) -> Generator[tuple[Clip, Frames | VideoError], None, None]:
        """Each clip with its frames; drawn once."""
        for clip in clips:
            if clip.path not in self._drawn:
                self._drawn[clip.path] = self._draw(clip.path)
            yield clip, self._drawn[clip.path]

    def _draw(self, path: Path) -> Frames:
        scene, start = self.scenes[path], time.perf_counter()
        indices = rule_indices(self.rule, scene.num_frames, float(scene.fps))
        info = VideoInfo(
            path, scene.num_frames, float(scene.fps), scene.duration_s, scene.width, scene.height, "drawn"
        )
        return Frames(
            pixels=np.stack([self.resize(draw(scene, index)) for index in indices]),
            indices=tuple(indices),
            times_s=tuple(index / scene.fps for index in indices),
            info=info,
            decode_s=time.perf_counter() - start,
        )


def mini_questions(videos: int, *, new_tokens: int = 16) -> tuple[list[Asked], dict[Path, Scene]]:
    """All questions about the longest `videos` videos of mini Video-MME, and the videos' scenes."""
    edition, benchmark = videomme(), get_benchmark("videomme")
    scenes = {Path(path).stem: (Path(path), scenes[0]) for path, scenes in edition.videos.items()}
    chosen = list(scenes)[-videos:]
    (rows,) = edition.tables.values()
    asked = []
    for index, row in enumerate(rows):
        document = benchmark.read_row(index, row)
        if document.video_id in chosen and document.answer is not None:
            clip = Clip(scenes[document.video_id][0])
            asked.append(
                Asked(
                    Question(QuestionKey("videomme", index), clip, document.prompt, new_tokens),
                    document.answer,
                )
            )
    return asked, {path: scene for name, (path, scene) in scenes.items() if name in chosen}


def answers(
    loaded: LoadedModel, scenes: dict[Path, Scene], questions: Sequence[Question], batch_size: int
) -> tuple[list[str], Engine]:
    """What the engine answers, in the order of the questions, and the engine for what it says of itself.

    Raises:
        RuntimeError: a question failed; a failure is no answer to compare.
    """
    model, card = SlowFastVideoModel(loaded), loaded.card
    source = DrawnSource(scenes, rule_of(card), Resize(loaded.processor.image_size))
    engine = Engine(model, source, batch_size=batch_size)
    texts = {}
    for result in engine.answer(questions):
        if isinstance(result, Failure):
            raise RuntimeError(f"question {result.key} failed ({result.kind.value}): {result.reason}")
        texts[result.key] = result.text
    return [texts[question.key] for question in questions], engine
