"""EgoSchema: the full set (truth not public: a submission file) and the answered subset.
Page: docs/benchmarks/egoschema.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.options import LETTERS, lettered
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join
from sf_eval.benchmarks.rows import RowReader

_SUFFIXES = (".mp4", ".MP4")


def read_full_row(index: int, row: Mapping[str, Any]) -> Document:
    """A question of the full set; whatever its `answer` column holds is not the truth."""
    return _read(RowReader(row, index, "EgoSchema"))


def read_subset_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "EgoSchema subset")
    document = _read(reader)
    right = reader.integer("answer", low=0, high=len(document.options) - 1)
    return replace(document, answer=LETTERS[right])


def _read(reader: RowReader) -> Document:
    video = reader.file_name("video_idx")
    question = reader.text("question")
    shown, options = lettered(reader, "option")
    return Document(
        index=reader.index,
        id=reader.identifier("question_idx"),
        video_id=video,
        media=MediaRef(tuple(f"videos/{video}{suffix}" for suffix in _SUFFIXES)),
        subtitles=None,
        question=question,
        options=options,
        answer=None,
        categories={},
        prompt=join(SELECT, question, "Options:", *shown, ANSWER_DIRECTLY),
    )


FULL = Benchmark(
    name="egoschema",
    title="EgoSchema",
    lmms_task="sf_egoschema",
    hub_id="lmms-eval/egoschema",
    hub_config="GENERATION",
    split="test",
    annotation_files=(
        "GENERATION/test-*.parquet",
        "GENERATION*.parquet",
        "GENERATION*.json",
        "GENERATION*.jsonl",
    ),
    media_root="",
    read_row=read_full_row,
    breakdown=(),
    headline="micro",
    expected_questions=5031,
    expected_videos=5031,
    published_column="egoschema",
    licence="Ego4D licence for the videos; MIT for the annotations",
    folder="egoschema",
    published_note="published numbers come from the benchmark's own server",
    writes_submission=True,
)

BENCHMARKS = (
    FULL,
    replace(
        FULL,
        name="egoschema_subset",
        title="EgoSchema (subset)",
        lmms_task="sf_egoschema_subset",
        hub_config="Subset",
        annotation_files=("Subset/test-*.parquet", "Subset*.parquet", "Subset*.json", "Subset*.jsonl"),
        read_row=read_subset_row,
        expected_questions=500,
        expected_videos=500,
        published_column=None,
        published_note="",
        writes_submission=False,
    ),
)
