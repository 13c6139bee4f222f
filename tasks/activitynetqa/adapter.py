"""ActivityNet-QA. Page: docs/benchmarks/activitynetqa.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.rows import RowReader

_SHORT = " Answer the question using a single word or phrase."
_PLACES = ("all_test/", "videos/", "")
_SUFFIXES = (".mp4", ".webm", ".mkv")
# By the authors' description of the set: three of the question, the others of its answer.
_TYPES = (
    "motion", "spatial relationship", "temporal relationship", "yes or no", "colour", "object", "location",
    "number", "other",
)  # fmt: skip


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "ActivityNet-QA")
    video = reader.file_name("video_name")
    question = reader.text("question")
    return Document(
        index=index,
        id=reader.identifier("question_id"),
        video_id=video,
        media=MediaRef(tuple(f"{place}v_{video}{suffix}" for place in _PLACES for suffix in _SUFFIXES)),
        subtitles=None,
        question=question,
        options={},
        answer=None,
        categories={"type": _TYPES[reader.integer("type", low=0, high=len(_TYPES) - 1)]},
        prompt=f"{question.capitalize()}?{_SHORT}",
        references=(reader.text("answer"),),
    )


BENCHMARKS = (
    Benchmark(
        name="activitynetqa",
        title="ActivityNet-QA",
        lmms_task="sf_activitynetqa",
        hub_id="lmms-eval/ActivityNetQA",
        hub_config=None,
        split="test",
        annotation_files=(
            "data/test-*.parquet", "test-*.parquet", "*.parquet", "activitynet*.json", "test*.json",
            "activitynet*.jsonl", "test*.jsonl",
        ),
        media_root="",
        read_row=read_row,
        breakdown=("type",),
        expected_questions=8000,
        expected_videos=800,
        published_column="activitynetqa",
        licence="not stated by the dataset's card or its authors' repository; videos belong to their owners",
        max_new_tokens=64,
        folder="activitynetqa",
        aliases=("activitynet_qa",),
        # A public listing shows data/test-*.parquet and videos_chunked_01.zip to _28.zip; that they unpack to
        # all_test/v_NAME.mp4 is how lmms-eval's task looks for them.
        layout=HubLayout(("videos_chunked_*.zip",), media=()),
        published_note="published numbers are a judge's, too, of a model and a version that their sources "
        "mostly do not name: another judge gives another number",
        settled_by="judge",
        judge_prompt="activitynetqa",
    ),
)  # fmt: skip
