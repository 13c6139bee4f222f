"""NExT-QA, open-ended. Page: docs/benchmarks/nextqa_oe.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.nextqa import HUB_ID, LAYOUT, LICENCE, media_of
from sf_eval.benchmarks.prompts import join
from sf_eval.benchmarks.rows import RowReader

_SHORT = "Answer a question using a short phrase or sentence."


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "NExT-QA (open-ended)")
    video, media = media_of(reader)
    question = reader.text("question").strip()
    other = (reader.optional_text("additional_ref_answer") or "").strip()
    kind = reader.identifier("type")
    return Document(
        index=index,
        id=f"{video}-{reader.identifier('qid')}",
        video_id=video,
        media=media,
        subtitles=None,
        question=question,
        options={},
        answer=None,
        # Upstream counts "previous" with "next"; its authors' tables do, too.
        categories={"type": "TN" if kind == "TP" else kind},
        prompt=join(question, _SHORT),
        references=(reader.text("answer").strip(), *([other] if other else [])),
    )


BENCHMARKS = (
    Benchmark(
        name="nextqa_oe",
        title="NExT-QA (open-ended)",
        lmms_task="sf_nextqa_oe",
        hub_id=HUB_ID,
        hub_config="OE",
        split="test",
        annotation_files=("OE/test-*.parquet", "OE*.parquet", "OE*.json", "OE*.jsonl"),
        media_root="",
        read_row=read_row,
        breakdown=("type",),
        expected_questions=9178,
        expected_videos=1000,
        published_column=None,
        licence=LICENCE,
        max_new_tokens=64,
        folder="nextqa",  # one copy of the videos for both parts
        edition_of="nextqa",
        aliases=("nextqa_oe_test",),
        layout=LAYOUT,
        settled_by="wups",
        matched={"type": frozenset({"DC", "DB"})},  # how many, and yes or no
    ),
)
