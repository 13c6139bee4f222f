"""NExT-QA, multiple choice. Page: docs/benchmarks/nextqa.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.nextqa import HUB_ID, LAYOUT, LICENCE, media_of
from sf_eval.benchmarks.options import LETTERS, by_position
from sf_eval.benchmarks.prompts import join, listed
from sf_eval.benchmarks.readers import last_letter
from sf_eval.benchmarks.rows import RowReader

_COLUMNS = tuple(f"a{place}" for place in range(5))


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "NExT-QA")
    video, media = media_of(reader)
    question = reader.text("question").strip()
    options = by_position([reader.text(column).strip() for column in _COLUMNS])
    return Document(
        index=index,
        id=f"{video}-{reader.identifier('qid')}",
        video_id=video,
        media=media,
        subtitles=None,
        question=question,
        options=options,
        answer=LETTERS[reader.integer("answer", low=0, high=len(_COLUMNS) - 1)],
        categories={"type": reader.identifier("type")},
        # 0.7.3's prompt ends with the options: it asks for no letter.
        prompt=join(question, listed(options)),
    )


BENCHMARKS = (
    Benchmark(
        name="nextqa",
        title="NExT-QA (multiple choice)",
        lmms_task="sf_nextqa",
        hub_id=HUB_ID,
        hub_config="MC",
        split="test",
        annotation_files=("MC/test-*.parquet", "MC*.parquet", "MC*.json", "MC*.jsonl"),
        media_root="",
        read_row=read_row,
        breakdown=("type",),
        expected_questions=8564,
        expected_videos=1000,
        published_column="nextqa",
        licence=LICENCE,
        folder="nextqa",
        aliases=("nextqa_mc", "nextqa_mc_test"),
        published_reader=last_letter,
        layout=LAYOUT,
    ),
)
