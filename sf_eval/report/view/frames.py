"""The frames that were shown, small: one JPEG a video and rule, tiles from left to right and down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Document
from sf_eval.core.errors import DataError, SfEvalError
from sf_eval.core.resize import Resize
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import open_benchmark
from sf_eval.harness.looking.kept_source import source_of
from sf_eval.harness.questions import clip_of
from sf_eval.report.view.kept import Key, ViewedRun
from sf_eval.video import Clip, ClipPool, Frames, SamplingRule, VideoError

FOLDER = "frames"
COLUMNS = 16
SIDES = (96, 72, 48)
"""Of a tile in pixels; the largest whose pictures fit the budget is taken."""

_BYTES_A_PIXEL = 0.22  # of JPEG at this quality, measured on real film; synthetic pictures take less
_QUALITY = 72
_FAMILYS_OWN = "family"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Shown:
    """One video as one rule shows it.

    Attributes:
        indices, times_s: of the frames; empty where nobody knows them.
        sprite: the picture's path below the page's folder, "" without one.
        side: of a tile in pixels.
        why_not: why there are no pictures, for people; "" where there are.
    """

    count: int
    indices: tuple[int, ...] = ()
    times_s: tuple[float, ...] = ()
    sprite: str = ""
    side: int = 0
    why_not: str = ""


def rule_of(run: ViewedRun) -> SamplingRule:
    """Which frames of a video the run showed, where that is a rule of `sf_eval.video.sampling`."""
    model = run.record.model
    return SamplingRule(
        "uniform" if model.sampling == "uniform" else "published", model.num_frames, model.target_fps
    )


def estimated_bytes(runs: Sequence[ViewedRun], side: int) -> int:
    """What the pictures of all videos will take, about."""
    videos: dict[tuple[SamplingRule, str, str], int] = {}
    for run in (run for run in runs if run.record.conditions.shows_video):
        for sample in run.samples.values():
            video = (sample.change and sample.change.shown_video) or sample.video
            place = (rule_of(run), sample.data, video)
            videos[place] = max(videos.get(place, 0), sample.num_frames or 0)
    return int(sum(videos.values()) * side * side * _BYTES_A_PIXEL)


class Clips:
    """Finds each question's video below the run's own data; opens every benchmark once.

    Args:
        data: as `--data` of a run, where the run's own cannot be had any more.
    """

    def __init__(self, run: ViewedRun, data: str | None) -> None:
        self._run, self._data = run, data
        self._opened: dict[str, OpenBenchmark | str] = {}

    def find(self, task: str, document: Document) -> Clip | str:
        """The question's clip, or why it has none."""
        opened = self._open(task)
        if isinstance(opened, str):
            return opened
        try:
            opened.media_path(document)
            return clip_of(opened, document, self._run.record.clip)
        except DataError as error:
            return str(error)

    def _open(self, task: str) -> OpenBenchmark | str:
        if task not in self._opened:
            try:
                source = source_of(self._run.record, task, self._data)
                benchmark = catalog.get_benchmark(task)
                self._opened[task] = open_benchmark(benchmark, source, fetch_media=False)
            except SfEvalError as error:  # a page without pictures is worth more than none
                self._opened[task] = str(error)
        return self._opened[task]


Pictures = dict[tuple[SamplingRule, Clip], Shown]
"""What was decoded: two models that were shown the same frames share a picture."""


def decode(
    run: ViewedRun, clips: Clips, folder: Path, *, side: int, pictures: Pictures, progress: Progress
) -> dict[Key, Shown]:
    """Write a picture for each video of `run` into `folder`; what each question was shown.

    Args:
        pictures: of the runs before; those of this one are added.
    """
    if not run.record.conditions.shows_video:
        return {key: without_pictures(run, key, "no video was shown: a control") for key in run.samples}
    if run.record.model.sampling == _FAMILYS_OWN:
        why_not = "the model's family chose the frames by a rule of its own, which a page does not know"
        return {key: without_pictures(run, key, why_not) for key in run.samples}
    rule = rule_of(run)
    found: dict[Key, Clip] = {}
    shown: dict[Key, Shown] = {}
    for key in run.samples:
        document = run.documents.get(key)
        clip = (
            "the run's folder does not say which file it was"
            if document is None
            else clips.find(key[0], document)
        )
        if isinstance(clip, str):
            shown[key] = without_pictures(run, key, clip)
        else:
            found[key] = clip
    new = [clip for clip in dict.fromkeys(found.values()) if (rule, clip) not in pictures]
    backend = run.record.settings.get("video_backend", "pyav")
    with ClipPool(rule, decoders=1, resize=Resize(side), backend=backend) as pool:
        for number, (clip, frames) in enumerate(pool.in_order(new)):
            progress(f"pictures of {run.name}", number, len(new))
            pictures[rule, clip] = _shown(frames, folder, f"{len(pictures) + 1:05d}", side)
    progress(f"pictures of {run.name}", len(new), len(new))
    shown.update({key: _agreeing(run, key, pictures[rule, clip]) for key, clip in found.items()})
    return shown


def without_pictures(run: ViewedRun, key: Key, why_not: str) -> Shown:
    """What is known without the video: which frames, if the journal has them."""
    indices = run.frame_indices.get(key, ())
    count = len(indices) or run.samples[key].num_frames or 0
    return Shown(count, indices, why_not=why_not)


def _shown(frames: Frames | VideoError, folder: Path, name: str, side: int) -> Shown:
    if isinstance(frames, VideoError):
        return Shown(0, why_not=str(frames))
    path = f"{FOLDER}/{name}.jpg"
    _write_sprite(frames, folder / path, side)
    return Shown(len(frames.indices), frames.indices, frames.times_s, path, side)


def _agreeing(run: ViewedRun, key: Key, one: Shown) -> Shown:
    """Pictures only of the frames that the run was shown: the video may have changed since."""
    asked = run.frame_indices.get(key)
    if asked is None or not one.sprite or asked == one.indices:
        return one if one.sprite or asked is None else replace(one, count=len(asked), indices=asked)
    return Shown(len(asked), asked, why_not="the video at hand has other frames than the run was shown")


def _write_sprite(frames: Frames, path: Path, side: int) -> None:
    from PIL import Image

    count = len(frames.indices)
    rows = -(-count // COLUMNS)
    sheet = np.zeros((rows * side, min(count, COLUMNS) * side, 3), np.uint8)
    for number, picture in enumerate(frames.pixels):
        top, left = number // COLUMNS * side, number % COLUMNS * side
        sheet[top : top + side, left : left + side] = picture
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(path, "JPEG", quality=_QUALITY)


def largest_side(runs: Sequence[ViewedRun], budget: int) -> int | None:
    """The largest tile whose pictures fit into `budget` bytes; None where not even the smallest does."""
    return next((side for side in SIDES if estimated_bytes(runs, side) <= budget), None)
