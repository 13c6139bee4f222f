"""Documents of benchmarks become questions for an engine: which part of which file, which words."""

from __future__ import annotations

from typing import Literal

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.interleaved import InterleavedPrompt
from sf_eval.benchmarks.media import MissingMediaError, places_of
from sf_eval.benchmarks.prompts import SubtitledPrompt, with_whole_subtitles
from sf_eval.data.opened import OpenBenchmark
from sf_eval.inference import Question, QuestionKey
from sf_eval.video import Clip

ClipMode = Literal["whole", "cut"]


def question_of(
    opened: OpenBenchmark, document: Document, *, clip_mode: ClipMode, max_new_tokens: int
) -> Question:
    """The question that `document` of the opened benchmark asks.

    Raises:
        UnsafePathError: the row names a path that leaves the media root.
    """
    benchmark = opened.benchmark
    return Question(
        key=QuestionKey(benchmark.name, document.index),
        clip=clip_of(opened, document, clip_mode),
        prompt=prompt_of(opened, document),
        max_new_tokens=max_new_tokens,
        name=f"{benchmark.name}:{document.id}",
    )


def clip_of(opened: OpenBenchmark, document: Document, clip_mode: ClipMode) -> Clip:
    """The clip of `document`. Its file may not exist: the engine records that as missing.

    Args:
        clip_mode: "whole" shows the whole file, as the published evaluation did; "cut" shows start to end
            where a row has them (MVBench).

    Raises:
        UnsafePathError: the row names a path that leaves the media root.
    """
    try:
        path = opened.media_path(document)
    except MissingMediaError:
        path = places_of(opened.media_root, document.media)[0]
    cut = clip_mode == "cut"
    return Clip(
        path=path,
        start_s=document.media.start_s if cut else None,
        end_s=document.media.end_s if cut else None,
        fps=document.media.fps if document.media.is_frames_folder else None,
    )


def prompt_of(opened: OpenBenchmark, document: Document) -> str | SubtitledPrompt | InterleavedPrompt:
    """The document's prompt; where the benchmark shows subtitles, one that waits for the frames' times.

    Raises:
        UnsafePathError: the row names a subtitle file outside of the benchmark's folder.
        DataError: a subtitle file of which all is shown cannot be read.
    """
    if document.subtitles is None:
        return document.prompt
    path = opened.subtitle_path(document)
    if opened.benchmark.whole_subtitles:
        return with_whole_subtitles(document, path)
    is_interleaved = opened.benchmark.subtitles == "interleaved"
    return InterleavedPrompt(document, path) if is_interleaved else SubtitledPrompt(document, path)
