"""Rows become documents; a row that no benchmark has is an error that names it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document
from sf_eval.core.errors import DataError

SOUND: dict[str, Any] = json.loads((Path(__file__).parent / "sound_rows.json").read_text(encoding="utf-8"))
VIDEOMME, MLVU, MLVU_TEST = SOUND["videomme"], SOUND["mlvu"], SOUND["mlvu_test"]
MVBENCH, LONGVIDEOBENCH = SOUND["mvbench_action_count"], SOUND["longvideobench"]


def read(name: str, row: dict[str, Any], **changes: Any) -> Document:
    return get_benchmark(name).read_row(7, {**row, **changes})


@pytest.mark.parametrize("name", SOUND)
def test_sound_rows(name: str) -> None:
    document = read(name, SOUND[name])
    assert document.index == 7
    assert len(document.options) >= 2
    assert document.answer is None or document.answer in document.options
    assert document.media.candidates
    assert set(get_benchmark(name).breakdown) <= set(document.categories)


def test_answers() -> None:
    answers = {name: read(name, row).answer for name, row in SOUND.items()}
    assert answers == {
        "videomme": "B",
        "videomme_w_subtitle": "B",
        "mlvu": "B",
        "mlvu_test": None,
        "mvbench_action_count": "B",
        "mvbench_episodic_reasoning": "B",
        "egoschema": None,
        "egoschema_subset": "E",
        "longvideobench": "B",
    }


def test_video_places() -> None:
    assert read("videomme", VIDEOMME).media.candidates == ("data/abc.mp4", "data/abc.MP4", "data/abc.mkv")
    assert read("videomme", VIDEOMME).subtitles is None
    assert read("videomme_w_subtitle", VIDEOMME).subtitles == "subtitle/abc.srt"
    assert (
        "video/data0613/clevrer/video_validation/1.mp4"
        in read("mvbench_moving_count", MVBENCH).media.candidates
    )
    assert "data0613/star/Charades_v1_480/1.mp4" in read("mvbench_action_sequence", MVBENCH).media.candidates
    assert read("longvideobench", LONGVIDEOBENCH).media.candidates[0] == "videos/v.mp4"


def test_a_folder_of_frames_keeps_its_clock_and_its_part() -> None:
    media = read("mvbench_episodic_reasoning", SOUND["mvbench_episodic_reasoning"]).media
    assert (media.is_frames_folder, media.fps, media.start_s, media.end_s) == (True, 3.0, 1.5, 9.0)
    without_fps = read("mvbench_episodic_reasoning", {**MVBENCH, "video": "clip_00"}).media
    assert (without_fps.fps, without_fps.start_s) == (3.0, None)


def test_options_that_are_not_there_are_not_offered() -> None:
    assert list(read("longvideobench", LONGVIDEOBENCH).options) == ["A", "B"]
    assert list(read("mlvu_test", MLVU_TEST).options) == list("ABCDEF")


def test_longvideobench_json_lists_its_candidates() -> None:
    row = {key: value for key, value in LONGVIDEOBENCH.items() if not key.startswith("option")}
    assert read("longvideobench", row, candidates=["a", "b", "c"]).options == {"A": "a", "B": "b", "C": "c"}


def test_mlvu_sets_are_never_mixed_up() -> None:
    with pytest.raises(DataError, match=r"row 7, column 'question'"):
        read("mlvu", MLVU_TEST, answer="A")
    with pytest.raises(DataError, match="not the dev set"):
        read("mlvu", MLVU, task_type="sportsQA")
    with pytest.raises(DataError, match="not the test set"):
        read("mlvu_test", MLVU, task_type="needle")


def test_mlvu_options_that_name_others_keep_their_letters_and_the_published_prompt() -> None:
    lines = ["Which is it?", "(A) x", "(B) Both (A) and (C)", "(C) y", "(D) (C) or (A)"]
    document = read("mlvu", MLVU, question="\n".join(lines), answer="B")
    assert document.options == {"A": "x", "B": "Both (A) and (C)", "C": "y", "D": "(C) or (A)"}
    # As the published code shows it: the first label in the order A to D, wherever it stands in its line.
    assert document.prompt.split("\n")[2:6] == ["A. x", "(B) Both A. and (C)", "C. y", "(D) (C) or A."]


def test_mlvu_lines_after_the_fourth_option_are_not_shown() -> None:
    question = "Which?\n(A) x\n(B) y\n(C) z\n(D) w\nLook closely.\n"
    document = read("mlvu", MLVU, question=question, answer="B")
    assert list(document.options) == list("ABCD")
    assert "Look closely" not in document.prompt
    for name, extra in (("mlvu", "(E) v"), ("mlvu_test", "(E) v\n(F) u\n(G) t")):
        with pytest.raises(DataError, match="not of this set"):
            read(name, {**MLVU, "task_type": "order"}, question=question.replace("Look closely.", extra))


def test_mlvu_test_truth_is_read_where_it_is_public() -> None:
    assert read("mlvu_test", MLVU_TEST, answer="F").answer == "F"


def test_subtasks_that_share_a_video_share_its_cluster() -> None:
    count, attribute = (read(f"mvbench_moving_{kind}", MVBENCH) for kind in ("count", "attribute"))
    other_folder = read("mvbench_object_shuffle", MVBENCH)
    assert count.video_id == attribute.video_id != other_folder.video_id


HOSTILE: list[tuple[str, str, Any]] = [
    ("videomme", "question", None),
    ("videomme", "question", 3),
    ("videomme", "question", "  "),
    ("videomme", "question", "x" * 10_000_000),
    ("videomme", "question", "a\x00b"),
    ("videomme", "question", "a\x1b[2Jb"),
    ("videomme", "question", "half \ud800"),
    ("videomme", "options", []),
    ("videomme", "options", "A. One"),
    ("videomme", "options", ["A. One", 2]),
    ("videomme", "options", ["B. One", "A. Two"]),
    ("videomme", "options", list("abcdefg")),
    ("videomme", "options", ["A. x", ""]),
    ("videomme", "answer", "E"),
    ("videomme", "answer", 1.5),
    ("videomme", "videoID", "../../etc/passwd"),
    ("videomme", "videoID", "/etc/passwd"),
    ("videomme", "videoID", "a/b"),
    ("videomme", "videoID", ""),
    ("mlvu", "question", "no options"),
    ("mlvu", "question", "q\n(B) x\n(A) y"),
    ("mlvu", "video_name", "../x.mp4"),
    ("mlvu", "video_name", "C:\\x.mp4"),
    ("mlvu", "answer", "F"),
    ("mvbench_action_count", "answer", "9"),
    ("mvbench_action_count", "candidates", ["1"]),
    ("mvbench_action_count", "video", "a/../../b.mp4"),
    ("mvbench_action_sequence", "end", -1),
    ("mvbench_action_sequence", "start", float("nan")),
    ("mvbench_action_sequence", "start", "soon"),
    ("mvbench_action_sequence", "start", True),
    ("egoschema_subset", "answer", "5"),
    ("egoschema_subset", "answer", None),
    ("egoschema_subset", "answer", "B"),
    ("longvideobench", "correct_choice", 2),
    ("longvideobench", "correct_choice", True),
    ("longvideobench", "option1", "N/A"),
    ("longvideobench", "option3", "after a gap"),
]


@pytest.mark.parametrize(("name", "column", "value"), HOSTILE, ids=lambda value: repr(value)[:40])
def test_a_damaged_row_is_one_error_that_names_row_and_column(name: str, column: str, value: Any) -> None:
    row = {**SOUND.get(name, MVBENCH), column: value}
    with pytest.raises(DataError, match="row 7, column '") as caught:
        get_benchmark(name).read_row(7, row)
    assert f"'{column}'" in str(caught.value) or column in ("option1", "end")
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", SOUND)
def test_a_missing_column_is_named(name: str) -> None:
    unread = {"video_id", "url", "duration", "start", "end", "fps", "subtitle_path", "answer"}
    for column in SOUND[name].keys() - (
        unread if name != "longvideobench" else {"subtitle_path", "duration"}
    ):
        row = {key: value for key, value in SOUND[name].items() if key != column}
        with pytest.raises(DataError, match=f"row 7, column '{column}' is missing"):
            get_benchmark(name).read_row(7, row)


def test_a_row_that_is_no_mapping() -> None:
    with pytest.raises(DataError, match="row 0"):
        get_benchmark("mlvu").read_row(0, ["a"])  # type: ignore[arg-type]
