"""An opened benchmark as the conditions of a run ask it: the same rows, shown otherwise."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.option_order import reordered
from sf_eval.benchmarks.stored_documents import store_documents
from sf_eval.core.errors import UsageError
from sf_eval.data.opened import OpenBenchmark
from sf_eval.harness.controls.conditions import Conditions

Files = tuple[str, ...]
"""A video, by the places where its file may lie: two ids of one file are one video."""


@dataclass(frozen=True)
class Change:
    """In what a question was asked otherwise than its row has it.

    Attributes:
        shown_video: the id of the video that was shown in the place of its own; None where its own was.
        options_order: published letters in the order in which the options stand, None where that is asked of
            no question; the published order where this one had to keep it.
        order_kept: why it had to.
    """

    shown_video: str | None = None
    options_order: str | None = None
    order_kept: str | None = None


PLAIN = Change()


@dataclass(frozen=True)
class AskedBenchmark:
    """A benchmark and what is changed about its questions, by row; unchanged ones are not in it."""

    opened: OpenBenchmark
    changes: Mapping[int, Change]


def asked_under(opened: OpenBenchmark, conditions: Conditions) -> AskedBenchmark:
    """The benchmark with its documents as they are asked.

    Raises:
        UsageError: a control that the benchmark cannot have: another video where it has only one.
    """
    changes: dict[int, Change] = {}
    asked: Iterable[Document] = opened.documents
    if conditions.control == "shuffled":
        asked = _with_other_videos(opened, conditions.video_seed, changes)
    elif not conditions.shows_video:
        # What is said in a video is a part of it: without the one there is no other.
        asked = (replace(document, subtitles=None) for document in asked)
    if conditions.options == "shuffled":
        asked = _with_other_orders(asked, conditions.options_seed, changes)
    if asked is opened.documents:
        return AskedBenchmark(opened, changes)
    return AskedBenchmark(replace(opened, documents=store_documents(asked)), changes)


def other_videos(videos: Sequence[Files], seed: int) -> dict[Files, Files]:
    """Another video for each, none its own, each shown once: one circle through all, drawn by `seed`.

    Raises:
        UsageError: fewer than two.
    """
    if len(videos) < 2:
        raise UsageError("--control shuffled needs a benchmark with two videos or more.")
    circle = sorted(videos)
    random.Random(seed).shuffle(circle)
    return dict(zip(circle, [*circle[1:], circle[0]], strict=True))


def _with_other_videos(opened: OpenBenchmark, seed: int, changes: dict[int, Change]) -> Iterator[Document]:
    """Every question with the video, and its subtitles, of the first question about another one.

    Drawn among all videos of the benchmark, so that `--limit` changes no question's video.
    """
    first: dict[Files, Document] = {}
    for document in opened.documents:
        first.setdefault(document.media.candidates, document)
    other = other_videos(list(first), seed)
    for document in opened.documents:
        shown = first[other[document.media.candidates]]
        changes[document.index] = Change(shown_video=shown.video_id)
        yield replace(
            document,
            media=shown.media,
            subtitles=shown.subtitles,
            subtitles_from_s=shown.subtitles_from_s,
            duration_s=shown.duration_s,
        )


def _with_other_orders(
    documents: Iterable[Document], seed: int, changes: dict[int, Change]
) -> Iterator[Document]:
    for document in documents:
        asked = reordered(document, seed)
        changes[document.index] = replace(
            changes.get(document.index, PLAIN), options_order=asked.order, order_kept=asked.left or None
        )
        yield asked.document
