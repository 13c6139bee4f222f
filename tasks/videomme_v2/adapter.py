"""Video-MME-v2, without and with subtitles. Page: docs/benchmarks/videomme_v2.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS, lettered_texts
from sf_eval.benchmarks.prompts import SELECT, join
from sf_eval.benchmarks.rows import RowReader

SELECT_A_TO_H = f"{SELECT} Respond with only the letter (A, B, C, D, E, F, G, or H) of the correct option."
_CONSISTENCY, _COHERENCE = "relevance", "logic"
_STRUCTURES = ("[1, 2, 3, 4]", "[1, [2, 3], 4]", "[[1, 2], 3, 4]")
_PLACE = re.compile(r"-([1-4])$")


def read_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "Video-MME-v2")
    video = reader.file_name("video_id")
    question = reader.text("question")
    shown, options = _options(reader)
    return Document(
        index=index,
        id=reader.identifier("question_id"),
        video_id=video,
        media=MediaRef((f"{video}.mp4", f"videos/{video}.mp4")),
        subtitles=None,
        question=question,
        options=options,
        answer=reader.letter("answer", options),
        categories={**_place_in_group(reader), **_taxonomy(reader)},
        prompt=join(f"Question: {question}", *shown, SELECT_A_TO_H),
    )


def read_row_with_subtitles(index: int, row: Mapping[str, Any]) -> Document:
    document = read_row(index, row)
    return replace(document, subtitles=f"subtitle/{document.video_id}.jsonl")


def _options(reader: RowReader) -> tuple[list[str], dict[str, str]]:
    """The options are one text of eight lines, "A. ..." to "H. ..."."""
    lines = [line.strip() for line in reader.text("options").splitlines() if line.strip()]
    if len(lines) != len(LETTERS):
        reader.fail("options", f"has {len(lines)} lines, not {len(LETTERS)}, A to H")
    return lettered_texts(reader, "options", lines)


def _place_in_group(reader: RowReader) -> dict[str, str]:
    """Which of its video's four questions it is, and how the four belong together."""
    place = _PLACE.search(reader.identifier("question_id"))
    if place is None:
        reader.fail("question_id", "does not end with its place among four questions (001-1 to 001-4)")
    kind = reader.identifier("group_type")
    if kind == _CONSISTENCY:
        return {"position": place[1], "group_type": kind}
    if kind != _COHERENCE:
        reader.fail("group_type", f"is {kind[:40]!r}, neither {_CONSISTENCY} nor {_COHERENCE}")
    structure = re.sub(r"\s*,\s*", ", ", reader.identifier("group_structure"))
    if structure not in _STRUCTURES:
        reader.fail("group_structure", f"is {structure[:40]!r}, none of {'; '.join(_STRUCTURES)}")
    return {"position": place[1], "group_type": kind, "group_structure": structure}


def _taxonomy(reader: RowReader) -> dict[str, str]:
    """Level, and what the question takes; a group's last question has them, the others may not."""
    found = {}
    for column in ("level", "second_head", "third_head"):
        if reader.has(column) and (value := reader.identifier(column)) != "None":
            found[column] = value
    if found.get("level", "1") not in ("1", "2", "3"):
        reader.fail("level", f"is {found['level'][:40]!r}, not 1 to 3")
    return found


VIDEOMME_V2 = Benchmark(
    name="videomme_v2",
    title="Video-MME-v2",
    lmms_task="sf_videomme_v2",
    hub_id="MME-Benchmarks/Video-MME-v2",
    hub_config=None,
    split="test",
    annotation_files=(
        "test.parquet", "test-*.parquet", "data/test-*.parquet", "videomme_v2*.json", "test*.json",
        "videomme_v2*.jsonl", "test*.jsonl",
    ),
    media_root="",
    read_row=read_row,
    breakdown=("level", "group_type", "second_head", "third_head"),
    expected_questions=3200,
    expected_videos=800,
    published_column=None,
    licence="academic research only, no redistribution; the videos belong to their owners",
    max_new_tokens=64,
    folder="videomme_v2",
    aliases=("video_mme_v2",),
    # The dataset's card: videos/001.zip (001.mp4 to 020.mp4) to 040.zip, subtitle.zip. That the latter
    # unpacks to subtitle/*.jsonl is how lmms-eval's task looks for them.
    layout=HubLayout(("videos/*.zip", "subtitle*.zip"), media=()),
    grouped=True,
)  # fmt: skip

BENCHMARKS = (
    VIDEOMME_V2,
    replace(
        VIDEOMME_V2,
        name="videomme_v2_w_subtitle",
        title="Video-MME-v2 with subtitles",
        lmms_task="sf_videomme_v2_w_subtitle",
        read_row=read_row_with_subtitles,
        edition_of="videomme_v2",
        subtitles="text",
        whole_subtitles=True,
        aliases=(),
    ),
)
