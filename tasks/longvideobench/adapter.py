"""LongVideoBench, validation set. Page: docs/benchmarks/longvideobench.md."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS, by_position
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join, listed
from sf_eval.benchmarks.readers import last_letter
from sf_eval.benchmarks.rows import RowReader

_COLUMNS = tuple(f"option{place}" for place in range(5))
_NOT_APPLICABLE = frozenset({"n/a", "n.a", "n\\a"})
# What pandas writes for a missing value; exactly so, since "Na" or "None" may be an option.
_MISSING_VALUES = frozenset({"", "NA", "<NA>", "NaN", "nan"})


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


def read_row_with_subtitles(index: int, row: Mapping[str, Any]) -> Document:
    """A row with where its subtitles are, and from when on they are its video's."""
    reader = RowReader(row, index, "LongVideoBench")
    return replace(
        read_row(index, row),
        subtitles=f"subtitles/{reader.path('subtitle_path')}",
        subtitles_from_s=reader.optional_number("starting_timestamp_for_subtitles") or 0.0,
        duration_s=reader.optional_number("duration"),
    )


def _texts(reader: RowReader) -> list[str]:
    """The options: columns option0 to option4 of the parquet file, or `candidates` of lvb_val.json.

    Those that are no option stand at the end; one that stands before an option is an error, since letters
    and truth would no longer agree.
    """
    if not reader.has(_COLUMNS[0]) and reader.has("candidates"):
        listed = reader.nullable_texts("candidates", high=len(_COLUMNS))
        places = [("candidates", text) for text in listed]
    else:
        places = [(column, reader.nullable_text(column)) for column in _COLUMNS]
    texts: list[str] = []
    for place, (column, text) in enumerate(places):
        if text is None or _is_no_option(text):
            continue
        if len(texts) < place:
            reader.fail(column, f"holds an option ({text[:40]!r}) after one that is N/A, null or empty")
        texts.append(text)
    if len(texts) < 2:
        column = places[len(texts)][0] if len(texts) < len(places) else "candidates"
        reader.fail(column, "is N/A, null, empty or not there, so that fewer than two options are left")
    return texts


def _is_no_option(text: str) -> bool:
    """Whether a text says that there is no option: "N/A" as people and tools write it, or nothing."""
    plain = "".join(unicodedata.normalize("NFKC", text).split())
    return plain in _MISSING_VALUES or plain.casefold().strip(".()[]") in _NOT_APPLICABLE


LONGVIDEOBENCH = Benchmark(
    name="longvideobench",
    title="LongVideoBench (validation)",
    lmms_task="sf_longvideobench",
    hub_id="longvideobench/LongVideoBench",
    hub_config=None,
    split="validation",
    annotation_files=(
        "validation-*.parquet", "data/validation-*.parquet", "lvb_val.json", "validation*.json",
        "lvb_val.jsonl", "validation*.jsonl",
    ),
    media_root="",
    read_row=read_row,
    breakdown=("duration_group", "question_category"),
    expected_questions=1337,
    expected_videos=753,
    published_column="longvideobench_val",
    licence="CC-BY-NC-SA-4.0 (gated)",
    folder="longvideobench",
    aliases=("longvideobench_val", "longvideobench_val_v"),
    setting="Without subtitles, as the published number; the benchmark's own setting has them between the "
    "frames (--subtitles interleaved).",
    published_reader=last_letter,
    # Guides: videos.tar.part.aa to .be (31 parts of 5.2 GB), which hold videos/*.mp4; subtitles.tar (one
    # guide: .zip), which holds subtitles/*.json.
    layout=HubLayout(("videos.tar*", "videos.zip*", "subtitles.tar", "subtitles.zip"), media=()),
)  # fmt: skip

_WITH_SUBTITLES = replace(
    LONGVIDEOBENCH,
    read_row=read_row_with_subtitles,
    published_column=None,
    edition_of="longvideobench",
)

BENCHMARKS = (
    LONGVIDEOBENCH,
    replace(
        _WITH_SUBTITLES,
        name="longvideobench_w_subtitle",
        title="LongVideoBench (validation), subtitles as text",
        lmms_task="sf_longvideobench_w_subtitle",
        subtitles="text",
        aliases=(),
        setting="With subtitles as one text before the question: neither the published number's setting "
        "(without) nor the benchmark's own (between the frames).",
    ),
    replace(
        _WITH_SUBTITLES,
        name="longvideobench_interleaved",
        title="LongVideoBench (validation), subtitles between frames",
        lmms_task="sf_longvideobench_interleaved",
        subtitles="interleaved",
        aliases=("longvideobench_val_i",),
        setting="With subtitles between the frames, the benchmark's own setting; the published number is "
        "without. A slow-fast model has them between its fast frames, as no released one was trained.",
    ),
)
