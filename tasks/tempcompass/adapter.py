"""TempCompass: choice, yes or no, caption matching, captioning. Page: docs/benchmarks/tempcompass.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, Group, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import LETTERS, by_position, lettered_texts
from sf_eval.benchmarks.prompts import SELECT, join
from sf_eval.benchmarks.rows import RowReader

GROUP = Group(
    "tempcompass",
    "TempCompass",
    published_column="tempcompass",
    parts=("multi_choice", "yes_no", "caption_matching", "captioning"),
    noun="tasks",
)

BEST_OPTION = "Please directly give the best option:"
YES_OR_NO = "Please answer yes or no:"
_FIRST_OPTION = re.compile(r"A[.)]\s")
# "Caption B: ...", "Sentence B: ...", "Option 2: ..."
_CAPTION = re.compile(r"(?P<label>(?P<noun>[A-Z][a-z]+) (?P<name>[A-D]|[1-4])):\s*(?P<text>.*)")


def read_multi_choice(index: int, row: Mapping[str, Any]) -> Document:
    """The question's text holds the options, one a line ("A. text"); the answer is one of these lines."""
    reader = _reader(row, index, "multi-choice")
    shown = reader.text("question")
    lines = _lines(shown)
    first = next((place for place, line in enumerate(lines) if _FIRST_OPTION.match(line)), len(lines))
    if first == 0 or not 2 <= len(lines) - first <= len(LETTERS):
        reader.fail("question", "is not a question with its options below it, A. first")
    _, options = lettered_texts(reader, "question", lines[first:])
    answer = _answer_among(reader, dict(zip(options, lines[first:], strict=True)))
    prompt = join(SELECT, shown, BEST_OPTION)
    return _document(reader, "\n".join(lines[:first]), options, answer, prompt)


def read_yes_no(index: int, row: Mapping[str, Any]) -> Document:
    """The prompt shows no letters: A stands for yes and B for no in what we record only."""
    reader = _reader(row, index, "yes_no")
    question = reader.text("question")
    options = by_position(("yes", "no"))
    answer = _answer_among(reader, options)
    labels = dict.fromkeys(options, "")
    return _document(reader, question, options, answer, join(question, YES_OR_NO), labels)


def read_caption_matching(index: int, row: Mapping[str, Any]) -> Document:
    """The question's text holds two captions ("Caption A: text"); the answer is one of these lines."""
    reader = _reader(row, index, "caption_matching")
    shown = reader.text("question")
    lines = _lines(shown)
    captions = [match for line in lines if (match := _CAPTION.fullmatch(line))]
    asked = lines[: len(lines) - len(captions)]
    if not asked or len(captions) < 2 or any(_CAPTION.fullmatch(line) for line in asked):
        reader.fail("question", 'is not a question with captions below it ("Caption A: ...")')
    if not all(caption["text"] for caption in captions):
        reader.fail("question", "has a caption without a text")
    # An answer "B" names the second caption only where that is what the prompt calls it.
    names = "".join(caption["name"] for caption in captions)
    is_one_noun = len({caption["noun"] for caption in captions}) == 1
    if not is_one_noun or not ("ABCD".startswith(names) or "1234".startswith(names)):
        called = ", ".join(caption["label"] for caption in captions)
        reader.fail("question", f"calls its captions {called}; one noun with A, B, ... or 1, 2, ... is read")
    labels = by_position([caption["label"] for caption in captions])
    options = by_position([caption["text"] for caption in captions])
    answer = _answer_among(reader, by_position([caption.group() for caption in captions]))
    return _document(reader, "\n".join(asked), options, answer, join(shown, BEST_OPTION), labels)


def read_captioning(index: int, row: Mapping[str, Any]) -> Document:
    """The model describes the video; a judge answers a question about it from the description alone."""
    reader = _reader(row, index, "captioning")
    question, asked = reader.text("question").strip(), reader.text("mc_question").strip()
    lines = _lines(asked)
    first = next((place for place, line in enumerate(lines) if _FIRST_OPTION.match(line)), len(lines))
    if first == 0 or not 2 <= len(lines) - first <= len(LETTERS):
        reader.fail("mc_question", "is not a question with its options below it, A. first")
    _, options = lettered_texts(reader, "mc_question", lines[first:])
    shown = dict(zip(options, lines[first:], strict=True))
    right = _answer_among(reader, shown, column="mc_answer")
    document = _document(reader, question, {}, None, question)
    return replace(document, references=(f"{right}. {options[right]}",), asked_of_judge=asked)


def _reader(row: Mapping[str, Any], index: int, task: str) -> RowReader:
    return RowReader(row, index, f"TempCompass {task}")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _answer_among(reader: RowReader, shown: Mapping[str, str], column: str = "answer") -> str:
    """The letter of the option that the row's answer repeats, as it is shown."""
    given = " ".join(reader.text(column).split()).casefold()
    for letter, text in shown.items():
        if " ".join(text.split()).casefold() == given:
            return letter
    return reader.fail(column, f"is {given[:40]!r}, which is none of the options")


def _document(
    reader: RowReader,
    question: str,
    options: dict[str, str],
    answer: str | None,
    prompt: str,
    labels: dict[str, str] | None = None,
) -> Document:
    video = reader.file_name("video_id")
    return Document(
        index=reader.index,
        id=f"{video}-{reader.index}",  # rows have no ids
        video_id=video,
        media=MediaRef((f"videos/{video}.mp4", f"{video}.mp4")),
        subtitles=None,
        question=question,
        options=options,
        answer=answer,
        categories={"dim": reader.identifier("dim")},
        prompt=prompt,
        labels=labels,
    )


def _benchmark(
    part: str,
    config: str,
    questions: int,
    read_row: Callable[[int, Mapping[str, Any]], Document],
) -> Benchmark:
    return Benchmark(
        name=f"tempcompass_{part}",
        title=f"TempCompass {part.replace('_', ' ')}",
        lmms_task=f"sf_tempcompass_{part}",
        hub_id="lmms-eval/TempCompass",
        hub_config=config,
        split="test",
        annotation_files=(
            f"{config}/test-*.parquet",
            f"{config}*.parquet",
            f"{config}*.json",
            f"{config}*.jsonl",
        ),
        media_root="",
        read_row=read_row,
        breakdown=("dim",),
        expected_questions=questions,
        expected_videos=None,
        published_column=None,
        licence="not stated by the dataset's card; the videos are from Shutterstock",
        group=GROUP,
        folder="tempcompass",
        # The authors' scorer asks a language model where its rules find nothing: no published verdict.
        published_reader=None,
        # A public listing shows a folder a task and tempcompass_videos.zip (418 MB); that it unpacks to
        # videos/*.mp4 is how lmms-eval's task looks for them.
        layout=HubLayout(("tempcompass_videos*.zip",), media=()),
    )


BENCHMARKS = (
    _benchmark("multi_choice", "multi-choice", 1580, read_multi_choice),
    _benchmark("yes_no", "yes_no", 2453, read_yes_no),
    _benchmark("caption_matching", "caption_matching", 1503, read_caption_matching),
    replace(
        _benchmark("captioning", "captioning", 2004, read_captioning),
        settled_by="judge",
        judge_prompt="tempcompass_captioning",
        max_new_tokens=256,
    ),
)
