"""MLVU: the dev set (7 multiple-choice types, A to D) and the test set (9 types, A to F), which are
different sets. Page: docs/benchmarks/mlvu.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS as ALL_LETTERS
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join
from sf_eval.benchmarks.rows import RowReader

LETTERS = ALL_LETTERS[:6]

# Folders of the original repository (MLVU/video/...), by task type.
_ORIGINAL_FOLDERS = {
    "plotQA": "1_plotQA", "needle": "2_needle", "findNeedle": "2_needle", "ego": "3_ego", "count": "4_count",
    "order": "5_order", "anomaly_reco": "6_anomaly_reco", "topic_reasoning": "7_topic_reasoning",
}  # fmt: skip
_ONLY_IN_DEV = {"needle", "findNeedle"}
_ONLY_IN_TEST = {"needleQA", "sportsQA", "tutorialQA"}


def read_dev_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "MLVU dev")
    document = _read(reader, letters=LETTERS[:4])
    if document.categories["task_type"] in _ONLY_IN_TEST:
        reader.fail("task_type", "is a type of the test set: this file is not the dev set")
    return replace(document, answer=reader.letter("answer", document.options))


def read_test_row(index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, "MLVU test")
    document = _read(reader, letters=LETTERS)
    if document.categories["task_type"] in _ONLY_IN_DEV:
        reader.fail("task_type", "is a type of the dev set: this file is not the test set")
    known = reader.optional_text("answer") is not None
    return replace(document, answer=reader.letter("answer", document.options) if known else None)


def _read(reader: RowReader, *, letters: str) -> Document:
    """The row without its truth: the test set's was not public at first."""
    name = reader.path("video_name")  # first, since the original repository's rows lack it
    task_type = reader.identifier("task_type")
    question, lines = _question_and_options(reader)
    shown, options = _options(reader, lines, letters)
    folder = _ORIGINAL_FOLDERS.get(task_type, task_type)
    places = ("", "video/", "videos/", f"video/{folder}/", f"MLVU/video/{folder}/")
    return Document(
        index=reader.index,
        id=f"{name.rsplit('.', 1)[0]}-{reader.index}",
        video_id=name,
        media=MediaRef(tuple(place + name for place in places)),
        subtitles=None,
        question=question,
        options=options,
        answer=None,
        categories={"task_type": task_type},
        prompt=join(SELECT, question, *shown, ANSWER_DIRECTLY),
    )


def _question_and_options(reader: RowReader) -> tuple[str, list[str]]:
    """The question as it is shown, and the lines after it; blank lines count for nothing.

    The published rule takes the first line for the question, and gives it a question mark unless it ends as a
    sentence does. Of a question of several lines it would show the first one alone and take the others for
    options: such a question is shown whole, as it is.
    """
    text = reader.text("question").replace("\r\n", "\n").replace("\r", "\n")
    lines = [line for line in text.split("\n") if line.strip()]
    count = next((place for place in range(1, len(lines)) if _options_begin(lines[place:])), 1)
    if count > 1 and not any(map(_begins_an_option, lines[1:count])):
        return "\n".join(lines[:count]), lines[count:]
    question = lines[0] if lines[0].endswith((".", "?")) else lines[0] + "?"
    return question, lines[1:]


def _options_begin(lines: Sequence[str]) -> bool:
    """Whether the first of `lines` is option A, and option B comes after it."""
    return _begins_with(lines[0], "A") and any(_begins_with(line, "B") for line in lines[1:])


def _begins_with(line: str, letter: str) -> bool:
    return line.lstrip().startswith(f"({letter})")


def _begins_an_option(line: str) -> bool:
    return any(_begins_with(line, letter) for letter in LETTERS)


def _options(reader: RowReader, lines: list[str], letters: str) -> tuple[list[str], dict[str, str]]:
    """The option lines as the published prompt shows them ("A. text"), and letter to text.

    The first line is option A, the second B, and so on, whatever letters a line names besides its own. What
    is shown follows the published rule to the letter: of each line, the first of the letters that it holds
    in brackets is rewritten wherever it stands ("(B) Both (A) and (C)" becomes "(B) Both A. and (C)"), and
    lines after the fourth are left out.
    """
    lines = _one_line_each(lines)
    further = "".join(lines[len(letters) :])
    if _is_labelled(further, LETTERS[4:]) or (letters == LETTERS and further.strip()):
        reader.fail("question", f"has more options than {letters[-1]}: this file is not of this set")
    lines = lines[: len(letters)]
    if len(lines) < 2:
        reader.fail("question", f"has {len(lines)} lines of options, not 2 to {len(letters)}")
    shown: list[str] = []
    options: dict[str, str] = {}
    for letter, line in zip(letters, lines, strict=False):
        if not _is_labelled(line, letter):
            reader.fail("question", f"has {line[:40]!r} where option ({letter}) should be")
        first = next(found for found in letters if _is_labelled(line, found))
        shown.append(line.replace(f"({first})", f"{first}."))
        options[letter] = line.replace(f"({letter})", "", 1).strip()
    return shown, options


def _one_line_each(lines: list[str]) -> list[str]:
    """Lines between two options that follow each other belong to the former of them."""
    whole: list[str] = []
    for place, line in enumerate(lines):
        wanted = LETTERS[len(whole)] if len(whole) < len(LETTERS) else ""
        follows = any(_begins_with(later, wanted) for later in lines[place:]) if wanted else False
        if whole and follows and not _begins_an_option(line) and not _is_labelled(line, wanted):
            whole[-1] = f"{whole[-1].rstrip()} {line.strip()}"
        else:
            whole.append(line)
    return whole


def _is_labelled(line: str, letters: str) -> bool:
    return any(f"({letter})" in line for letter in letters)


def published_letter(output: str, _options: Mapping[str, str]) -> str:
    """The character before the first ")", or the very first character."""
    text = output.strip()
    closing = text.find(")")
    if closing < 0:
        return text[0]
    return text[closing - 1 : closing][0]


DEV = Benchmark(
    name="mlvu",
    title="MLVU (dev)",
    lmms_task="sf_mlvu",
    hub_id="sy1998/MLVU_dev",
    hub_config=None,
    split="test",
    annotation_files=(
        "mlvu/test-*.parquet", "data/test-*.parquet", "test-*.parquet", "*.parquet",
        "mlvu*.json", "test*.json", "mlvu*.jsonl", "test*.jsonl",
    ),
    media_root="",
    read_row=read_dev_row,
    breakdown=("task_type",),
    mean_over="task_type",
    expected_questions=2174,
    expected_videos=None,
    published_column="mlvu_dev",
    licence="CC-BY-NC-SA-4.0",
    folder="mlvu",
    aliases=("mlvu_dev",),
    published_reader=published_letter,
    # Guides: video_part_1.zip to video_part_8.zip, 285 GB together. Assumed: what is in them lies where
    # `video_name` says, from the top.
    layout=HubLayout(),
    published_note="Slow-Fast's own numbers are micro averages; the paper's M-Avg is the macro average",
)  # fmt: skip

BENCHMARKS = (
    DEV,
    replace(
        DEV,
        name="mlvu_test",
        title="MLVU (test)",
        lmms_task="sf_mlvu_test",
        hub_id="sy1998/MLVU_Test",
        read_row=read_test_row,
        expected_questions=None,
        published_column=None,
        folder="mlvu_test",
        aliases=(),
        # Assumed; the original test set is one tar.gz in parts, which works too.
        layout=HubLayout(),
        edition_of="mlvu",
        published_note="",
    ),
)
