"""NExT-QA, multiple choice. Page: docs/benchmarks/nextqa.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS, by_position
from sf_eval.benchmarks.prompts import join, listed
from sf_eval.benchmarks.readers import last_letter
from sf_eval.benchmarks.rows import RowReader

_COLUMNS = tuple(f"a{place}" for place in range(5))


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "NExT-QA")
    video = reader.identifier("video")
    question = reader.text("question").strip()
    options = by_position([reader.text(column).strip() for column in _COLUMNS])
    return Document(
        index=index,
        id=f"{video}-{reader.identifier('qid')}",
        video_id=video,
        media=media(reader, video),
        subtitles=None,
        question=question,
        options=options,
        answer=LETTERS[reader.integer("answer", low=0, high=len(_COLUMNS) - 1)],
        categories={"type": reader.identifier("type")},
        # 0.7.3's prompt ends with the options: it asks for no letter.
        prompt=join(question, listed(options)),
    )


def media(reader: RowReader, video: str) -> MediaRef:
    """Where the video called `video` may lie."""
    if "/" in video or "\\" in video or video in (".", ".."):
        reader.fail("video", f"is {video[:80]!r}, not a plain file name")
    places = ("NExTVideo/", "videos/", "")
    return MediaRef(tuple(f"{place}{video}{suffix}" for place in places for suffix in (".mp4", ".MP4")))


BENCHMARKS = (
    Benchmark(
        name="nextqa",
        title="NExT-QA (multiple choice)",
        lmms_task="sf_nextqa",
        hub_id="lmms-eval/NExTQA",
        hub_config="MC",
        split="test",
        annotation_files=("MC/test-*.parquet", "MC*.parquet", "MC*.json", "MC*.jsonl"),
        media_root="",
        read_row=read_row,
        breakdown=("type",),
        expected_questions=8564,
        expected_videos=1000,
        published_column="nextqa",
        licence="not stated by the dataset's card; the videos are from YFCC-100M, each with its own terms",
        folder="nextqa",
        aliases=("nextqa_mc", "nextqa_mc_test"),
        published_reader=last_letter,
        # A public listing shows MC/, OE/ and videos.zip (6.5 GB); that it unpacks to NExTVideo/*.mp4 is how
        # lmms-eval's task looks for them.
        layout=HubLayout(("videos*.zip",), media=()),
    ),
)
