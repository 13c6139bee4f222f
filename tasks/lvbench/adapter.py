"""LVBench: questions about videos of an hour. Page: docs/benchmarks/lvbench.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import by_position
from sf_eval.benchmarks.prompts import join
from sf_eval.benchmarks.rows import RowReader

WITH_THE_LETTER = "Answer the question with the option letter"
_OPTION = re.compile(r"\s*\((?P<letter>[A-D])\)\s*(?P<text>.*\S)\s*")
_MOST = 4


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "LVBench")
    question, options = _question_and_options(reader)
    video = reader.path("video_path")
    return Document(
        index=index,
        id=reader.identifier("uid") if reader.has("uid") else f"{video}-{index}",
        video_id=video,
        media=MediaRef((video, f"videos/{video}")),
        subtitles=None,
        question=question,
        options=options,
        answer=reader.letter("answer", options),
        categories=_categories(reader),
        prompt=join(question, *(f"({letter}) {text}" for letter, text in options.items()), WITH_THE_LETTER),
    )


def _question_and_options(reader: RowReader) -> tuple[str, dict[str, str]]:
    """The options are a column, or, as in the authors' own file, lines "(A) text" below the question."""
    text = reader.text("question")
    if reader.has("options"):
        return text, by_position(reader.texts("options", high=_MOST))
    lines = text.splitlines()
    first = next((place for place, line in enumerate(lines) if line.strip().startswith("(A)")), len(lines))
    found = [_OPTION.fullmatch(line) for line in lines[first:] if line.strip()]
    options = {match["letter"]: match["text"] for match in found if match}
    in_order = "".join(options) == "ABCD"[: len(found)]
    if first == 0 or len(found) < 2 or not all(found) or not in_order:
        reader.fail("question", "is not a question with its options below it, (A) first")
    return "\n".join(lines[:first]), options


def _categories(reader: RowReader) -> dict[str, str]:
    """The kind of video, and the abilities that the question takes: one or several, in one name."""
    found = {"type": reader.identifier("type")} if reader.has("type") else {}
    if reader.has("question_type"):
        found["question_type"] = ", ".join(reader.texts("question_type", low=1))
    return found


BENCHMARKS = (
    Benchmark(
        name="lvbench",
        title="LVBench",
        lmms_task="sf_lvbench",
        hub_id="lmms-eval/LVBench",
        hub_config=None,
        split="train",
        annotation_files=(
            "data/train-*.parquet", "train-*.parquet", "lvbench*.json", "train*.json", "lvbench*.jsonl",
            "train*.jsonl",
        ),
        media_root="",
        read_row=read_row,
        breakdown=("question_type", "type"),
        expected_questions=1549,
        expected_videos=103,
        published_column=None,
        licence="CC-BY-NC-SA-4.0; the videos belong to their owners",
        folder="lvbench",
        # A public listing shows data/train-00000-of-00001.parquet and video_chunks/videos_chunk_001.zip ff.
        # (62 GB); that they unpack to what `video_path` names is how lmms-eval's task looks for them.
        layout=HubLayout(("video_chunks/*.zip",), media=()),
    ),
)  # fmt: skip
