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
from sf_eval.video import Clip, ClipLoader, SamplingRule, VideoError

ClipMode = Literal["whole", "cut"]


@dataclass
class RunContext:
    """Data source, sampling rule, and the benchmarks opened so far (each is read once).

    Attributes:
        clip_mode: "whole" shows the whole file, as the published evaluation did; "cut" shows start to end
            where a row has them (MVBench).
        fetch_media: False leaves videos that are not here on the Hub.
        timeout_s: limit for looking at one video, in seconds, where no `loader` was given.
        progress: told what is rendered or fetched while a benchmark is opened.
        loader: tells when a video's frames are shown: the engine's, so that no bad video is waited for
            twice. Where it is None, one is started when it is needed.
    """

    source: DataSource
    rule: SamplingRule
    clip_mode: ClipMode = "whole"
    backend: str = "pyav"
    progress: Progress | None = None
    fetch_media: bool = True
    timeout_s: float = 600.0
    opened: dict[str, OpenBenchmark] = field(default_factory=dict)
    loader: ClipLoader | None = None
    _own_loader: ClipLoader | None = None
    _times: dict[Clip, tuple[float, ...]] = field(default_factory=dict)

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
        return with_subtitles(document, read_srt(path), self._times_of(self.clip(opened, document)))

    def close(self) -> None:
        """End the process that looks at videos, if one was started here."""
        if self._own_loader is not None:
            self._own_loader.close()
            self._own_loader = None

    def _times_of(self, clip: Clip) -> tuple[float, ...]:
        """When the shown frames are, in seconds since the first; none where the video cannot be read.

        Each clip is looked at once, where it can be stopped: what is wrong with it, the engine will say.
        """
        if clip not in self._times:
            try:
                self._times[clip] = self._planner().plan(clip).times_s
            except VideoError:
                self._times[clip] = ()
        return self._times[clip]

    def _planner(self) -> ClipLoader:
        if self.loader is not None:
            return self.loader
        if self._own_loader is None:
            self._own_loader = ClipLoader(self.rule, backend=self.backend, timeout_s=self.timeout_s)
        return self._own_loader


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
def activate(context: RunContext, loader: ClipLoader | None = None) -> Iterator[RunContext]:
    """Make `context` the one that tasks built inside the block see; they look at videos with `loader`."""
    global _active
    previous, _active = _active, context
    context.loader = loader
    try:
        yield context
    finally:
        _active = previous
        context.loader = None
        context.close()


def current() -> RunContext:
    """The active context, or the environment's under the stock `lmms-eval` command.

    Raises:
        UsageError: a variable of the environment that means nothing; as often as it is asked for.
    """
    global _active
    if _active is None:
        _active = RunContext(
            source=source_from_environment(),
            rule=SamplingRule("published", 64),
            clip_mode=_clip_mode_from_environment(),
        )
    return _active


def _clip_mode_from_environment() -> ClipMode:
    mode = os.environ.get("SF_EVAL_CLIP", "whole")
    if mode == "whole":
        return "whole"
    if mode == "cut":
        return "cut"
    raise UsageError(f"SF_EVAL_CLIP is {mode!r}; it must be 'whole' or 'cut'.")


def source_from_environment() -> DataSource:
    return parse_source(
        os.environ.get("SF_EVAL_DATA", "hub"), os.environ.get("SF_EVAL_DATA_REVISION") or None
    )
