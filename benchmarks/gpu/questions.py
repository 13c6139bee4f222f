"""The mini edition's questions without files: its scenes are drawn, not encoded and decoded.

So they need no PyAV, and every machine sees the very same pixels.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.mini.scene import Scene, draw
from sf_eval.benchmarks.mini.videomme import videomme
from sf_eval.inference import Answer, Failure, Question
from sf_eval.inference.engine import Engine
from sf_eval.model.loading import LoadedModel
from sf_eval.video import Clip, Frames, SamplingRule, VideoInfo
from sf_eval.video.sampling import rule_indices


@dataclass(frozen=True)
class Asked:
    """A question of the mini edition, and the letter that answers it."""

    question: Question
    truth: str


class DrawnLoader:
    """In the place of a `ClipLoader`: draws the frames that the rule takes of a clip's scene."""

    def __init__(self, scenes: dict[Path, Scene], rule: SamplingRule) -> None:
        self.scenes = scenes
        self.rule = rule
        self._drawn: dict[Path, Frames] = {}

    def load(self, clip: Clip) -> Frames:
        """The frames of `clip`; drawn once."""
        if clip.path not in self._drawn:
            self._drawn[clip.path] = self._draw(clip.path)
        return self._drawn[clip.path]

    def close(self) -> None:
        self._drawn.clear()

    def _draw(self, path: Path) -> Frames:
        scene, start = self.scenes[path], time.perf_counter()
        indices = rule_indices(self.rule, scene.num_frames, float(scene.fps))
        info = VideoInfo(
            path, scene.num_frames, float(scene.fps), scene.duration_s, scene.width, scene.height, "drawn"
        )
        return Frames(
            pixels=np.stack([draw(scene, index) for index in indices]),
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
            asked.append(Asked(Question(document.id, clip, document.prompt, new_tokens), document.answer))
    return asked, {path: scene for name, (path, scene) in scenes.items() if name in chosen}


def answers(
    loaded: LoadedModel, loader: DrawnLoader, questions: Sequence[Question], batch_size: int
) -> tuple[list[str], Engine]:
    """What the engine answers, in order, and the engine for what it says of itself.

    Raises:
        RuntimeError: a question failed; a failure is no answer to compare.
    """
    engine = Engine(loaded, loader, batch_size=batch_size)  # type: ignore[arg-type]
    texts = []
    for result in engine.answer(questions):
        if isinstance(result, Failure):
            raise RuntimeError(f"question {result.key} failed ({result.kind.value}): {result.reason}")
        assert isinstance(result, Answer)
        texts.append(result.text)
    return texts, engine
