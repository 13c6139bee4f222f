"""Perception Test, multiple choice, validation set. Page: docs/benchmarks/perceptiontest.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS, by_position
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join, listed
from sf_eval.benchmarks.rows import RowReader

_OPTIONS = 3


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "Perception Test")
    video = reader.file_name("video_name")
    question = reader.text("question")
    options = by_position(reader.texts("options", low=_OPTIONS, high=_OPTIONS))
    return Document(
        index=index,
        # The evaluation server knows a question by its video and its number there.
        id=f"{video}-{reader.identifier('question_id')}",
        video_id=video,
        media=MediaRef((f"videos/{video}.mp4", f"videos/{video}.MP4", f"{video}.mp4", f"{video}.MP4")),
        subtitles=None,
        question=question,
        options=options,
        answer=LETTERS[reader.integer("answer_id", low=0, high=_OPTIONS - 1)],
        categories={"area": reader.identifier("area"), "reasoning": reader.identifier("reasoning")},
        prompt=join(SELECT, question, listed(options), ANSWER_DIRECTLY),
    )


def published_letter(output: str, _options: Mapping[str, str]) -> str:
    """The first capital A to D that stands alone, article or not."""
    found = re.search(r"\b[A-D]\b", output.strip())
    return found.group() if found else ""


BENCHMARKS = (
    Benchmark(
        name="perceptiontest",
        title="Perception Test (validation)",
        lmms_task="sf_perceptiontest",
        hub_id="lmms-eval/PerceptionTest_Val",
        hub_config="mc_question_val",
        split="validation",
        annotation_files=(
            "mc_question_val/validation-*.parquet", "mc_question_val*.parquet", "mc_question_val*.json",
            "mc_question_val*.jsonl",
        ),
        media_root="",
        read_row=read_row,
        breakdown=("area", "reasoning"),
        expected_questions=19140,
        expected_videos=None,
        published_column="perceptiontest",
        licence="CC-BY-4.0 (the authors' repository)",
        folder="perceptiontest",
        aliases=("perceptiontest_val", "perceptiontest_val_mc"),
        published_reader=published_letter,
        # A public listing shows videos_chunked_01.zip and _02.zip (75 GB) and valid_audios.zip, which is not
        # needed; that they unpack to videos/*.mp4 is how lmms-eval's task looks for them.
        layout=HubLayout(("videos_chunked_*.zip",), media=()),
    ),
)  # fmt: skip
