"""What tasks and model must agree on in one process: where the data is and which frames are shown.

lmms-eval builds tasks from yaml alone and gives them no arguments, so `sf-eval run` activates a context
around it. Under the stock `lmms-eval` command the context comes from the environment
(`SF_EVAL_DATA`, `SF_EVAL_DATA_REVISION`, `SF_EVAL_CLIP`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from sf_eval.benchmarks.data import DataSource, OpenBenchmark, open_benchmark, parse_source
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.core.errors import UsageError
from sf_eval.video import Clip, SamplingRule, probe_times

ClipMode = Literal["whole", "cut"]


@dataclass
class RunContext:
    """Data source, sampling rule, and the benchmarks opened so far (each is read once).

    Attributes:
        clip_mode: "whole" shows the whole file, as the published evaluation did; "cut" shows start to end
            where a row has them (MVBench).
        strict: missing media are an error before the run; False records them sample by sample.
    """

    source: DataSource
    rule: SamplingRule
    clip_mode: ClipMode = "whole"
    backend: str = "pyav"
    opened: dict[str, OpenBenchmark] = field(default_factory=dict)

    def open(self, benchmark: Benchmark) -> OpenBenchmark:
        if benchmark.name not in self.opened:
            self.opened[benchmark.name] = open_benchmark(benchmark, self.source)
        return self.opened[benchmark.name]

    def clip(self, opened: OpenBenchmark, document: Document) -> Clip:
        """The clip of `document`; its file may not exist (the engine records that as missing)."""
        media = document.media
        cut = self.clip_mode == "cut"
        return Clip(
            path=opened.expected_path(document),
            start_s=media.start_s if cut else None,
            end_s=media.end_s if cut else None,
            fps=media.fps if media.is_frames_folder else None,
        )

    def prompt(self, opened: OpenBenchmark, document: Document) -> str:
        """The prompt, with the subtitles of the shown frames where the benchmark has them."""
        if document.subtitles is None:
            return document.prompt
        from sf_eval.benchmarks.prompts import with_subtitles

        subtitles = opened.subtitle_text(document)
        times_s = probe_times(self.clip(opened, document), self.rule, backend=self.backend) if subtitles else ()
        return with_subtitles(document, subtitles, times_s)


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
