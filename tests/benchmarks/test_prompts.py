"""Prompts are the recorded ones; subtitles are those of the shown frames."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.prompts import NO_SUBTITLES, with_subtitles
from sf_eval.core.errors import DataError
from sf_eval.verifying.protocol import PROMPTS, recorded_protocol_dir, verify_protocol

SOUND: dict[str, Any] = json.loads((Path(__file__).parent / "sound_rows.json").read_text(encoding="utf-8"))
VIDEOMME, MLVU, MLVU_TEST = SOUND["videomme"], SOUND["mlvu"], SOUND["mlvu_test"]

PLAIN = """1
00:00:00,000 --> 00:00:02,000
Hello there.

2
00:00:02,000 --> 00:00:04,500
Two lines
of text.

3
00:00:10,000 --> 00:00:11,000
The end.
"""
FONT = PLAIN
for _line in ("Hello there.", "The end."):
    FONT = FONT.replace(_line, f'<font color="white" size=".72c">{_line}</font>')


def test_recorded_prompts() -> None:
    results = [result for result in verify_protocol(recorded_protocol_dir()) if result.file == PROMPTS]
    assert len(results) == 30
    assert [result for result in results if not result.passed] == []


def test_a_changed_prompt_is_found(tmp_path: Path) -> None:
    lines = (recorded_protocol_dir() / PROMPTS).read_text().splitlines()
    record = json.loads(lines[0])
    record["prompt"] += " "
    (tmp_path / PROMPTS).write_text("\n".join([json.dumps(record), *lines[1:3]]))
    assert [result.passed for result in verify_protocol(tmp_path)] == [False, True, True]


@pytest.mark.parametrize("text", ["{", "[]", '{"task": "videomme", "doc": {}}', '{"doc": {}}'])
def test_recorded_cases_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / PROMPTS).write_text(text)
    with pytest.raises(DataError):
        verify_protocol(tmp_path)


def test_a_directory_without_cases(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recorded prompts or scores"):
        verify_protocol(tmp_path)


def test_mlvu_question_ends_as_published() -> None:
    def asked(question: str) -> str:
        row = {**MLVU, "question": f"{question}\n(A) red\n(B) blue\n(C) green\n(D) black\n"}
        return get_benchmark("mlvu").read_row(0, row).prompt.split("\n")[1]

    assert (asked("Which"), asked("Which?"), asked("Say which."), asked("Which?)")) == (
        "Which?", "Which?", "Say which.", "Which?)?",
    )  # fmt: skip


def test_mlvu_test_shows_all_six_options() -> None:
    prompt = get_benchmark("mlvu_test").read_row(0, MLVU_TEST).prompt
    assert "\nE. white\nF. pink\n" in prompt


@pytest.mark.parametrize("srt", [PLAIN, FONT, "\ufeff" + PLAIN.replace("\n", "\r\n")])
def test_subtitles_of_the_shown_frames(srt: str) -> None:
    document = get_benchmark("videomme_w_subtitle").read_row(0, VIDEOMME)
    prompt = with_subtitles(document, srt, [1.0, 3.0, 5.0])
    head = "This video's subtitles are listed below: \nHello there.\nTwo lines of text.\n"
    assert prompt == head + document.prompt
    assert "The end." in with_subtitles(document, srt, [10.5])


def test_a_subtitle_ends_before_its_end_and_is_shown_once() -> None:
    document = get_benchmark("videomme_w_subtitle").read_row(0, VIDEOMME)
    assert "Hello" not in with_subtitles(document, PLAIN, [2.0])
    assert with_subtitles(document, PLAIN, [0.0, 0.5, 1.0]).count("Hello") == 1


@pytest.mark.parametrize("srt", [None, "", " \n"])
def test_a_video_without_subtitles(srt: str | None) -> None:
    document = get_benchmark("videomme_w_subtitle").read_row(0, VIDEOMME)
    assert with_subtitles(document, srt, [1.0]).split("\n")[1] == NO_SUBTITLES


def test_a_file_that_is_no_srt_is_named() -> None:
    document = get_benchmark("videomme_w_subtitle").read_row(0, VIDEOMME)
    with pytest.raises(DataError, match=r"subtitle/abc\.srt"):
        with_subtitles(document, "<html>not found</html>", [1.0])
