"""LongVideoBench, validation set. Page: docs/benchmarks/longvideobench.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.options import LETTERS, by_position
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join, listed
from sf_eval.benchmarks.rows import RowReader

_COLUMNS = tuple(f"option{place}" for place in range(5))
_NO_OPTION = "N/A"


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "LongVideoBench")
    video = reader.path("video_path")
    question = reader.text("question")
    options = by_position(_texts(reader))
    right = reader.integer("correct_choice", low=0, high=len(options) - 1)
    return Document(
        index=index,
        id=reader.identifier("id"),
        video_id=reader.identifier("video_id"),
        media=MediaRef((f"videos/{video}", video)),
        subtitles=None,
        question=question,
        options=options,
        answer=LETTERS[right],
        categories={
            "duration_group": reader.identifier("duration_group"),
            "question_category": reader.identifier("question_category"),
        },
        # The published prompt ends with a line break.
        prompt=join(SELECT, question, listed(options), ANSWER_DIRECTLY, ""),
    )


def _texts(reader: RowReader) -> list[str]:
    """The options: columns option0 to option4 of the parquet file, or `candidates` of lvb_val.json."""
    if not reader.has(_COLUMNS[0]) and reader.has("candidates"):
        return reader.texts("candidates", high=len(_COLUMNS))
    texts = [reader.text(column) for column in _COLUMNS]
    count = texts.index(_NO_OPTION) if _NO_OPTION in texts else len(texts)
    if count < 2:
        reader.fail(_COLUMNS[count], "is N/A, so that fewer than two options are left")
    for column, text in list(zip(_COLUMNS, texts, strict=True))[count:]:
        if text != _NO_OPTION:
            reader.fail(column, "holds an option after one that is N/A")
    return texts[:count]


BENCHMARKS = (
    Benchmark(
        name="longvideobench",
        title="LongVideoBench (validation)",
        lmms_task="sf_longvideobench",
        hub_id="longvideobench/LongVideoBench",
        hub_config=None,
        split="validation",
        annotation_files=(
            "validation-*.parquet", "data/validation-*.parquet", "lvb_val.json", "validation*.json",
        ),
        media_root="",
        read_row=read_row,
        breakdown=("duration_group", "question_category"),
        headline="micro",
        expected_questions=1337,
        expected_videos=753,
        published_column="longvideobench_val",
        licence="CC-BY-NC-SA-4.0 (gated)",
        folder="longvideobench",
    ),
)  # fmt: skip
