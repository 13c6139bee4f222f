"""Video-MME, without and with subtitles. Page: docs/benchmarks/videomme.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import lettered
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join
from sf_eval.benchmarks.rows import RowReader

_SUFFIXES = (".mp4", ".MP4", ".mkv")


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "Video-MME")
    video = reader.file_name("videoID")
    question = reader.text("question")
    shown, options = lettered(reader, "options")
    return Document(
        index=index,
        id=reader.identifier("question_id"),
        video_id=video,
        media=MediaRef(tuple(f"data/{video}{suffix}" for suffix in _SUFFIXES)),
        subtitles=None,
        question=question,
        options=options,
        answer=reader.letter("answer", options),
        categories={
            "duration": reader.identifier("duration"),
            "domain": reader.identifier("domain"),
            "sub_category": reader.identifier("sub_category"),
            "task_type": reader.identifier("task_type"),
        },
        prompt=join(SELECT, question, *shown, ANSWER_DIRECTLY),
    )


def read_row_with_subtitles(index: int, row: Mapping[str, Any]) -> Document:
    document = read_row(index, row)
    return replace(document, subtitles=f"subtitle/{document.video_id}.srt")


def published_letter(output: str, _options: Mapping[str, str]) -> str:
    """The first capital A to D that is left once some phrases are cut out."""
    # The last two phrases are each two that were meant to be separate; so they never match.
    phrases = (
        "The best answer is",
        "The correct answer is",
        "The answer is",
        "The answer",
        "The best option isThe correct option is",
        "Best answer:Best option:",
    )
    text = output.strip()
    for phrase in phrases:
        text = text.replace(phrase, "")
    found = re.search("[ABCD]", text)
    return found.group() if found else ""


VIDEOMME = Benchmark(
    name="videomme",
    title="Video-MME",
    lmms_task="sf_videomme",
    hub_id="lmms-eval/Video-MME",
    hub_config=None,
    split="test",
    annotation_files=(
        "videomme/test-*.parquet", "data/test-*.parquet", "test-*.parquet", "*.parquet",
        "videomme*.json", "test*.json", "videomme*.jsonl", "test*.jsonl",
    ),
    media_root="",
    read_row=read_row,
    breakdown=("duration", "domain", "sub_category", "task_type"),
    expected_questions=2700,
    expected_videos=900,
    published_column="videomme",
    licence="research only, no redistribution; videos belong to their owners",
    folder="videomme",
    aliases=("video_mme",),
    published_reader=published_letter,
    # Guides: subtitle.zip holds subtitle/*.srt; videos_chunked_01.zip to _20.zip hold data/*.mp4.
    layout=HubLayout(("videos_chunked_*.zip", "subtitle*.zip"), media=()),
)  # fmt: skip

BENCHMARKS = (
    VIDEOMME,
    replace(
        VIDEOMME,
        name="videomme_w_subtitle",
        title="Video-MME with subtitles",
        lmms_task="sf_videomme_w_subtitle",
        read_row=read_row_with_subtitles,
        published_column="videomme_w_subtitle",
        edition_of="videomme",
        subtitles="text",
        aliases=(),
    ),
)
