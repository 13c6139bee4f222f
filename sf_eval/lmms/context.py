"""Where the tasks of one process find their documents, prompts and clips.

lmms-eval builds tasks from yaml alone and gives them no arguments, so what they belong to has to be found
from here: a replay's records where one is going on, else, under the stock `lmms-eval` command, what the
environment names (`SF_EVAL_DATA`, `SF_EVAL_DATA_REVISION`, `SF_EVAL_CLIP`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol, cast, get_args

from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.pinned import pinned_revision
from sf_eval.core.errors import UsageError
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import DataSource, parse_source
from sf_eval.harness.questions import ClipMode, clip_of, prompt_of
from sf_eval.inference import QuestionKey
from sf_eval.scoring.lexicons import settling_of
from sf_eval.scoring.settling import Settling
from sf_eval.video import Clip, ClipLoader, ClipPool, SamplingRule, VideoError


class TaskContext(Protocol):
    """What our lmms-eval tasks ask of their context."""

    def documents(self, benchmark: Benchmark) -> Sequence[Document]: ...
    def prompt(self, benchmark: Benchmark, document: Document) -> str: ...
    def clip(self, benchmark: Benchmark, document: Document) -> Clip: ...
    def was_cut_off(self, benchmark: Benchmark, document: Document) -> bool: ...
    def settling(self, benchmark: Benchmark) -> Settling: ...


@dataclass
class StockContext:
    """The stock command's data, read as it is needed; each benchmark once.

    Attributes:
        rule, backend: which frames the model shows, set by our model where it is the one that answers.
        loader: tells when a video's frames are shown: the engine's, so that no bad video is waited for
            twice. Where it is None, one is started when it is needed.
        cut_off: the answers of our model that the token limit ended: lmms-eval hands no such reason on.
    """

    source: DataSource
    clip_mode: ClipMode = "whole"
    rule: SamplingRule = field(default_factory=lambda: SamplingRule("published", 64))
    backend: str = "pyav"
    loader: ClipLoader | ClipPool | None = None
    cut_off: set[QuestionKey] = field(default_factory=set)
    _opened: dict[str, OpenBenchmark] = field(default_factory=dict)
    _times: dict[Clip, tuple[float, ...]] = field(default_factory=dict)

    def documents(self, benchmark: Benchmark) -> Sequence[Document]:
        return self._open(benchmark).documents

    def clip(self, benchmark: Benchmark, document: Document) -> Clip:
        return clip_of(self._open(benchmark), document, self.clip_mode)

    def prompt(self, benchmark: Benchmark, document: Document) -> str:
        """The prompt, with the subtitles of the shown frames where the benchmark has them."""
        prompt = prompt_of(self._open(benchmark), document)
        return (
            prompt if isinstance(prompt, str) else prompt.text(self._times_of(self.clip(benchmark, document)))
        )

    def was_cut_off(self, benchmark: Benchmark, document: Document) -> bool:
        return QuestionKey(benchmark.lmms_task, document.index) in self.cut_off

    def settling(self, benchmark: Benchmark) -> Settling:
        """How its answers become outcomes. No judge is asked under the stock command."""
        return settling_of(benchmark, is_mini=self._open(benchmark).is_mini)

    def _open(self, benchmark: Benchmark) -> OpenBenchmark:
        if benchmark.name not in self._opened:
            source = self.source
            if source.kind == "hub" and source.revision is None:
                source = replace(source, revision=pinned_revision(benchmark))
            self._opened[benchmark.name] = open_benchmark(benchmark, source)
        return self._opened[benchmark.name]

    def _times_of(self, clip: Clip) -> tuple[float, ...]:
        """When the shown frames are, in seconds since the first; none where the video cannot be read.

        Each clip is looked at once, where it can be stopped: what is wrong with it, the engine will say.
        """
        if clip not in self._times:
            if self.loader is None:
                self.loader = ClipLoader(self.rule, backend=self.backend)
            try:
                self._times[clip] = self.loader.plan(clip).times_s
            except VideoError:
                self._times[clip] = ()
        return self._times[clip]


_active: TaskContext | None = None
_stock: StockContext | None = None


@contextmanager
def activate(context: TaskContext) -> Iterator[None]:
    """Make `context` the one that tasks built inside the block see."""
    global _active
    previous, _active = _active, context
    try:
        yield
    finally:
        _active = previous


def current() -> TaskContext:
    """The active context, or the environment's under the stock `lmms-eval` command.

    Raises:
        UsageError: the environment names no data source or no way to show clips.
    """
    return _active if _active is not None else stock()


def stock() -> StockContext:
    """The environment's context, made once.

    Raises:
        UsageError: as `current`, each time.
    """
    global _stock
    if _stock is None:
        _stock = _from_environment()
    return _stock


def _from_environment() -> StockContext:
    mode = os.environ.get("SF_EVAL_CLIP", "whole")
    if mode not in get_args(ClipMode):
        raise UsageError(f"SF_EVAL_CLIP is {mode!r}; it must be 'whole' or 'cut'.")
    source = parse_source(
        os.environ.get("SF_EVAL_DATA", "hub"), os.environ.get("SF_EVAL_DATA_REVISION") or None
    )
    return StockContext(source, clip_mode=cast(ClipMode, mode))
