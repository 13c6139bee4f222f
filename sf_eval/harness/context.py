"""What tasks and model must agree on in one process: where the data is and which frames are shown.

lmms-eval builds tasks from yaml alone and gives them no arguments, so `sf-eval run` activates a context
around it. Under the stock `lmms-eval` command the context comes from the environment
(`SF_EVAL_DATA`, `SF_EVAL_DATA_REVISION`, `SF_EVAL_CLIP`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import yaml

from sf_eval.benchmarks.data import DataSource, OpenBenchmark, Progress, open_benchmark, parse_source
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.media import MissingMediaError, places_of
from sf_eval.benchmarks.prompts import with_subtitles
from sf_eval.benchmarks.subtitles import read_srt
from sf_eval.core.errors import UsageError
from sf_eval.core.paths import tasks_dir
from sf_eval.video import Clip, SamplingRule, VideoError, plan_clip

ClipMode = Literal["whole", "cut"]


@dataclass
class RunContext:
    """Data source, sampling rule, and the benchmarks opened so far (each is read once).

    Attributes:
        clip_mode: "whole" shows the whole file, as the published evaluation did; "cut" shows start to end
            where a row has them (MVBench).
        fetch_media: False leaves videos that are not here on the Hub.
        progress: told what is rendered or fetched while a benchmark is opened.
    """

    source: DataSource
    rule: SamplingRule
    clip_mode: ClipMode = "whole"
    backend: str = "pyav"
    progress: Progress | None = None
    fetch_media: bool = True
    opened: dict[str, OpenBenchmark] = field(default_factory=dict)

    def open(self, benchmark: Benchmark) -> OpenBenchmark:
        if benchmark.name not in self.opened:
            source = self.source
            if source.kind == "hub" and source.revision is None:
                source = replace(source, revision=pinned_revision(benchmark))
            self.opened[benchmark.name] = open_benchmark(
                benchmark, source, progress=self.progress, fetch_media=self.fetch_media
            )
        return self.opened[benchmark.name]

    def clip(self, opened: OpenBenchmark, document: Document) -> Clip:
        """The clip of `document`. Its file may not exist: the engine records that as missing.

        Raises:
            UnsafePathError: the row names a path that leaves the media root.
        """
        try:
            path = opened.media_path(document)
        except MissingMediaError:
            path = places_of(opened.media_root, document.media)[0]
        cut = self.clip_mode == "cut"
        return Clip(
            path=path,
            start_s=document.media.start_s if cut else None,
            end_s=document.media.end_s if cut else None,
            fps=document.media.fps if document.media.is_frames_folder else None,
        )

    def prompt(self, opened: OpenBenchmark, document: Document) -> str:
        """The prompt, with the subtitles of the shown frames where the benchmark has them."""
        if document.subtitles is None:
            return document.prompt
        path = opened.subtitle_path(document)
        if path is None:
            return with_subtitles(document, "", ())
        return with_subtitles(document, read_srt(path), self._times(opened, document))

    def _times(self, opened: OpenBenchmark, document: Document) -> tuple[float, ...]:
        """When the shown frames are, in seconds; none where the video cannot be read."""
        try:
            info, indices = plan_clip(self.clip(opened, document), self.rule)
        except VideoError:
            return ()
        return tuple(index / info.fps for index in indices)


class _YamlWithoutFunctions(yaml.SafeLoader):
    """Reads a task yaml and leaves lmms-eval's `!function` tags alone."""


_YamlWithoutFunctions.add_constructor("!function", lambda _, node: str(node.value))


def pinned_revision(benchmark: Benchmark) -> str | None:
    """The dataset commit that the task's yaml pins (`dataset_kwargs: {revision: ...}`), if it does."""
    for path in tasks_dir().glob(f"*/{benchmark.lmms_task}.yaml"):
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_YamlWithoutFunctions)  # noqa: S506 - a SafeLoader
        return (config.get("dataset_kwargs") or {}).get("revision")
    return None


_active: RunContext | None = None


@contextmanager
def activate(context: RunContext) -> Iterator[RunContext]:
    """Make `context` the one that tasks built inside the block see."""
    global _active
    previous, _active = _active, context
    try:
        yield context
    finally:
        _active = previous


def current() -> RunContext:
    """The active context, or the environment's under the stock `lmms-eval` command."""
    global _active
    if _active is None:
        _active = RunContext(source=source_from_environment(), rule=SamplingRule("published", 64))
        mode = os.environ.get("SF_EVAL_CLIP", "whole")
        if mode not in ("whole", "cut"):
            raise UsageError(f"SF_EVAL_CLIP is {mode!r}; it must be 'whole' or 'cut'.")
        _active.clip_mode = mode  # type: ignore[assignment]
    return _active


def source_from_environment() -> DataSource:
    return parse_source(
        os.environ.get("SF_EVAL_DATA", "hub"), os.environ.get("SF_EVAL_DATA_REVISION") or None
    )
