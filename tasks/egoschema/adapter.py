"""EgoSchema: the full set (truth not public: a submission file) and the answered subset.
Page: docs/benchmarks/egoschema.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS, lettered
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join
from sf_eval.benchmarks.readers import option_by_content, within_spaces
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


def published_letter(output: str, options: Mapping[str, str]) -> str:
    """The form found furthest to the left (by its last occurrence), else the option's text, else a guess."""
    text = within_spaces(output)
    forms = [f"({c})" for c in "ABCDE"] + [f"{c} " for c in "ABCDE"] + [f"{c}." for c in "ABCDE"]
    found = [form for form in forms if form in text]
    if found:
        places = [text.rfind(form) for form in found]
        return found[places.index(min(places))].strip("(). ")
    # The texts searched for carry their labels ("A. a dog"), since the rows do.
    labelled = {letter: f"{letter}. {option}" for letter, option in options.items()}
    return option_by_content(text, labelled, first=True)


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
    expected_questions=5031,
    expected_videos=5031,
    published_column="egoschema",
    licence="Ego4D licence for the videos; MIT for the annotations",
    folder="egoschema",
    published_reader=published_letter,
    # Guides: videos_chunked_01.zip to _05.zip hold videos/*.mp4.
    layout=HubLayout(("videos_chunked_*.zip",), media=()),
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
