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
        "nextqa": "B",
        "perceptiontest": "B",
        "tempcompass_multi_choice": "B",
        "tempcompass_yes_no": "B",
        "tempcompass_caption_matching": "B",
        "videomme_v2": "G",
        "videomme_v2_w_subtitle": "G",
        "lvbench": "D",
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
    assert read("nextqa", SOUND["nextqa"]).media.candidates[:2] == (
        "NExTVideo/4010069381.mp4", "NExTVideo/4010069381.MP4",
    )  # fmt: skip
    assert read("perceptiontest", SOUND["perceptiontest"]).media.candidates[0] == "videos/video_1.mp4"
    assert read("tempcompass_yes_no", SOUND["tempcompass_yes_no"]).media.candidates[0] == "videos/1.mp4"


def test_a_folder_of_frames_keeps_its_clock_and_its_part() -> None:
    media = read("mvbench_episodic_reasoning", SOUND["mvbench_episodic_reasoning"]).media
    assert (media.is_frames_folder, media.fps, media.start_s, media.end_s) == (True, 3.0, 1.5, 9.0)
    without_fps = read("mvbench_episodic_reasoning", {**MVBENCH, "video": "clip_00"}).media
    assert (without_fps.fps, without_fps.start_s) == (3.0, None)


def test_options_that_are_not_there_are_not_offered() -> None:
    assert list(read("longvideobench", LONGVIDEOBENCH).options) == ["A", "B"]
    assert list(read("mlvu_test", MLVU_TEST).options) == list("ABCDEF")


CANDIDATES = {key: value for key, value in LONGVIDEOBENCH.items() if not key.startswith("option")}


def test_longvideobench_json_lists_its_candidates() -> None:
    read_options = read("longvideobench", CANDIDATES, candidates=["a", "b", "c"]).options
    assert read_options == {"A": "a", "B": "b", "C": "c"}


@pytest.mark.parametrize(
    "absent",
    [
        "N/A", "n/a", "N/A ", " N/A\n", "N/A.", "(N/A)", "N / A", "n.a.", "\uff2e\uff0f\uff21", "NA", "nan",
        "", "  ", None, float("nan"),
    ],
)  # fmt: skip
def test_longvideobench_says_no_such_option_in_many_ways(absent: object) -> None:
    """In the columns of the parquet file, which are all there, and in the candidates of lvb_val.json."""
    changes = {f"option{place}": absent for place in (2, 3, 4)}
    document = read("longvideobench", LONGVIDEOBENCH, **changes)
    assert document.options == {"A": "a cup", "B": "a dog"}
    assert document.prompt.split("\n")[2:4] == ["A. a cup", "B. a dog"]
    listed = read("longvideobench", CANDIDATES, candidates=["a cup", "a dog", absent, absent, absent])
    assert listed.options == document.options
    for row in ({**LONGVIDEOBENCH, "option1": absent}, {**CANDIDATES, "candidates": ["a cup", absent]}):
        with pytest.raises(DataError, match="fewer than two options"):
            read("longvideobench", row)
    for row in (
        {**LONGVIDEOBENCH, "option2": absent, "option3": "a hat"},
        {**CANDIDATES, "candidates": ["a cup", absent, "a hat"]},
    ):
        with pytest.raises(DataError, match=r"'a hat'.*after one that is N/A"):
            read("longvideobench", row)


@pytest.mark.parametrize("text", ["None", "Na", "No", "N", "A", "-", "0", "n/a or unknown", "NASA"])
def test_longvideobench_options_that_only_look_absent_are_options(text: str) -> None:
    assert read("longvideobench", LONGVIDEOBENCH, option2=text).options["C"] == text


# --- NExT-QA, Perception Test and TempCompass, as the authors' copy of lmms-eval shows them --------------


def test_the_prompts_of_the_other_columns() -> None:
    assert read("nextqa", SOUND["nextqa"]).prompt == (
        "how does the man play\nA. roll\nB. tap it.\nC. strum\nD. hit\nE. pat"
    )
    assert read("perceptiontest", SOUND["perceptiontest"]).prompt == (
        "Select the best answer to the following multiple-choice question based on the video.\n"
        "Where is the cup?\nA. on the table\nB. in the box\nC. not known\n"
        "Answer with the option's letter from the given choices directly."
    )
    assert read("tempcompass_multi_choice", SOUND["tempcompass_multi_choice"]).prompt == (
        "Select the best answer to the following multiple-choice question based on the video.\n"
        "What is he doing?\nA. dunking\nB. dribbling\nPlease directly give the best option:"
    )
    assert read("tempcompass_yes_no", SOUND["tempcompass_yes_no"]).prompt == (
        "Is he dribbling?\nPlease answer yes or no:"
    )
    captions = read("tempcompass_caption_matching", SOUND["tempcompass_caption_matching"])
    assert captions.prompt.endswith("\nOption 2: The man dribbles.\nPlease directly give the best option:")


def test_options_keep_the_names_that_the_prompt_gives_them() -> None:
    captions = read("tempcompass_caption_matching", SOUND["tempcompass_caption_matching"])
    assert captions.options == {"A": "The man dunks: a hit.", "B": "The man dribbles."}
    assert captions.labels == {"A": "Option 1", "B": "Option 2"}
    assert captions.question == "Which description is a more suitable match for the video?"
    yes_no = read("tempcompass_yes_no", SOUND["tempcompass_yes_no"])
    assert (yes_no.options, yes_no.labels) == ({"A": "yes", "B": "no"}, {"A": "", "B": ""})
    assert read("tempcompass_multi_choice", SOUND["tempcompass_multi_choice"]).labels is None


# --- Video-MME-v2 and LVBench -------------------------------------------------------------------------------


def test_video_mme_v2_has_eight_options_and_says_how_its_questions_belong_together() -> None:
    row = SOUND["videomme_v2"]
    document = read("videomme_v2", row)
    assert list(document.options) == list("ABCDEFGH")
    assert document.prompt == (
        f"Question: What is it?\n{row['options']}\n"
        "Select the best answer to the following multiple-choice question based on the video. "
        "Respond with only the letter (A, B, C, D, E, F, G, or H) of the correct option."
    )
    assert document.categories == {
        "position": "3", "group_type": "logic", "group_structure": "[1, [2, 3], 4]", "level": "2",
        "second_head": "Change", "third_head": "Event",
    }  # fmt: skip
    assert document.subtitles is None
    assert read("videomme_v2_w_subtitle", row).subtitles == "subtitle/001.jsonl"
    relevant = read(
        "videomme_v2", row, group_type="relevance", group_structure=None, level="None", third_head=None
    )
    assert relevant.categories == {"position": "3", "group_type": "relevance", "second_head": "Change"}


def test_lvbench_has_its_options_in_a_column_or_below_the_question() -> None:
    row = SOUND["lvbench"]
    document = read("lvbench", row)
    assert document.prompt == (
        "What year is it?\n(A) 1636\n(B) 1366\n(C) 1363\n(D) 1633\nAnswer the question with the option letter"
    )
    assert document.categories == {
        "type": "cartoon", "question_type": "key information retrieval, reasoning",
    }  # fmt: skip
    within = "What year is it?\n(A) 1636\n(B) 1366\n(C) 1363\n(D) 1633"
    assert read("lvbench", row, options=None, question=within).prompt == document.prompt
    assert read("lvbench", row, uid=None).id == "abc.mp4-7"


# --- letters of options -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["Red", "Blue", "Green", "Yellow"], ["A. Red", "B. Blue", "C. Green", "D. Yellow"]),
        (["a. Red", "b. Blue", "c. Green"], ["A. Red", "B. Blue", "C. Green"]),
        ([" Red ", "Blue\t"], ["A. Red", "B. Blue"]),
        (["1. Red", "2. Blue"], ["A. 1. Red", "B. 2. Blue"]),
        (["B", "A"], ["A. B", "B. A"]),
        (["H. pylori", "Blue"], ["A. H. pylori", "B. Blue"]),  # no set of so few has an option H
        # As they are, where each has its own.
        (["A. Red", "B. Blue"], ["A. Red", "B. Blue"]),
        (["(A) Red", "(B) Blue"], ["(A) Red", "(B) Blue"]),
        (["A) Red", "B) Blue"], ["A) Red", "B) Blue"]),
        (["A.Red", "B:Blue"], ["A.Red", "B:Blue"]),
    ],
)
def test_the_prompt_shows_a_letter_for_each_option(options: list[str], shown: list[str]) -> None:
    document = read("videomme", VIDEOMME, options=options, answer="B")
    assert document.prompt.split("\n")[2 : 2 + len(shown)] == shown
    assert list(document.options) == list("ABCD"[: len(shown)])
    for letter, text in document.options.items():
        assert text == text.strip()
        assert not text.startswith((f"{letter}.", f"{letter})", f"({letter})", f"{letter.lower()}."))
    assert read("egoschema_subset", SOUND["egoschema_subset"], option=options, answer="1").prompt.split("\n")[
        3 : 3 + len(shown)
    ] == shown  # fmt: skip


@pytest.mark.parametrize(
    "options",
    [
        ["A. Red", "B. Blue", "Green", "D. Yellow"],
        ["E. coli", "S. aureus", "B. subtilis", "C. difficile"],
        ["Red", "Blue", "C. elegans", "Green"],
        ["a. Red", "Blue"],
    ],
)
@pytest.mark.parametrize(("name", "column"), [("videomme", "options"), ("egoschema", "option")])
def test_a_mixture_of_options_with_and_without_letters_is_refused(
    name: str, column: str, options: list[str]
) -> None:
    with pytest.raises(
        DataError, match=f"column '{column}' gives some options a letter of their own, and none"
    ):
        read(name, SOUND[name], **{column: options})


@pytest.mark.parametrize("options", [["B. Red", "A. Blue"], ["b. Red", "a. Blue"], ["A. x", "A. y"]])
def test_letters_that_are_not_those_of_their_places_are_refused(options: list[str]) -> None:
    with pytest.raises(DataError, match=r"labels option [AB] as [ABb]"):
        read("videomme", VIDEOMME, options=options)


@pytest.mark.parametrize("options", [{"A": "Red", "B": "Blue"}, ["A. Red", None], ["A. Red", " "], [], None])
def test_options_that_are_no_list_of_texts_are_refused(options: object) -> None:
    with pytest.raises(DataError, match="row 7, column 'options'"):
        read("videomme", VIDEOMME, options=options)


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


MLVU_QUESTIONS: list[tuple[str, str, dict[str, str]]] = [
    ("What is shown\nin the video?\n(A) x\n(B) y", "What is shown\nin the video?", {"A": "x", "B": "y"}),
    (
        "Arrange the events:\n(1) a\n(2) b\n(A) 1->2\n(B) 2->1",
        "Arrange the events:\n(1) a\n(2) b",
        {"A": "1->2", "B": "2->1"},
    ),
    ("What is shown?\n \n(A) x\n\t\n(B) y\n\n", "What is shown?", {"A": "x", "B": "y"}),
    ("What is shown?\r\n(A) x\r\n(B) y\r\n", "What is shown?", {"A": "x", "B": "y"}),
    ("What is shown\r(A) x\r(B) y", "What is shown?", {"A": "x", "B": "y"}),
    ("Is it (A)\nor (B)?\n(A) x\n(B) y", "Is it (A)\nor (B)?", {"A": "x", "B": "y"}),
    ("Which?\n(A) a man\nwalks\n(B) y\n(C) z", "Which?", {"A": "a man walks", "B": "y", "C": "z"}),
    ("Which?\n  (A) x\n  (B) y", "Which?", {"A": "x", "B": "y"}),
]


@pytest.mark.parametrize(("text", "question", "options"), MLVU_QUESTIONS)
@pytest.mark.parametrize("name", ["mlvu", "mlvu_test"])
def test_mlvu_questions_of_several_lines(
    name: str, text: str, question: str, options: dict[str, str]
) -> None:
    document = read(name, {**MLVU, "task_type": "order"}, question=text, answer="B")
    assert document.question == question
    assert document.options == options
    lines = document.prompt.split("\n")
    assert "\n".join(lines[1:]).startswith(question + "\n")
    shown = [f"{letter}. {text}" for letter, text in options.items()]
    assert [line.strip() for line in lines[-1 - len(options) : -1]] == shown


@pytest.mark.parametrize(
    "text", ["Which?\n(B) x\n(A) y\n(B) z", "Which\none?\n(A) x", "Which\none?", "(A) x\n(B) y"]
)
def test_mlvu_questions_whose_options_cannot_be_told_are_refused(text: str) -> None:
    with pytest.raises(DataError, match="row 7, column 'question'"):
        read("mlvu", MLVU, question=text)


@pytest.mark.parametrize("task_type", ["needle", "findNeedle"])
def test_mlvu_needle_questions_lie_in_their_original_folder(task_type: str) -> None:
    document = read("mlvu", MLVU, task_type=task_type)
    assert "video/2_needle/x.mp4" in document.media.candidates
    assert "MLVU/video/2_needle/x.mp4" in document.media.candidates
    with pytest.raises(DataError, match="not the test set"):
        read("mlvu_test", MLVU, task_type=task_type)


def test_mlvu_rows_of_the_original_repository_are_refused_by_their_missing_column() -> None:
    row = {
        "video": "1.mp4", "duration": 9, "question": "What?", "candidates": ["Red", "Blue"], "answer": "Blue",
        "question_type": "plotQA",
    }  # fmt: skip
    with pytest.raises(DataError, match="column 'video_name' is missing"):
        get_benchmark("mlvu").read_row(0, row)


@pytest.mark.parametrize(("start", "end"), [(4.0, 4.0), (0, 0), (None, 0.0)])
def test_an_mvbench_part_may_be_a_moment(start: float | None, end: float) -> None:
    media = read("mvbench_action_sequence", MVBENCH, start=start, end=end).media
    assert (media.start_s, media.end_s) == (start, end)
    with pytest.raises(DataError, match=r"'end' is .*before the start"):
        read("mvbench_action_sequence", MVBENCH, start=4.0, end=3.9)


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
    ("videomme_v2", "options", "A. one\nB. two"),
    ("videomme_v2", "options", ["A. one", "B. two"]),
    ("videomme_v2", "options", "\n".join(f"{letter}. x" for letter in "ABCDEFHG")),
    ("videomme_v2", "question_id", "001"),
    ("videomme_v2", "question_id", "001-5"),
    ("videomme_v2", "group_type", "other"),
    ("videomme_v2", "group_structure", "[4, 3, 2, 1]"),
    ("videomme_v2", "level", 4),
    ("videomme_v2", "answer", "I"),
    ("videomme_v2", "video_id", "../x"),
    ("lvbench", "options", ["1", "2", "3", "4", "5"]),
    ("lvbench", "answer", "E"),
    ("lvbench", "video_path", "/etc/passwd"),
    ("lvbench", "question_type", "reasoning"),
    ("nextqa", "answer", 5),
    ("nextqa", "a4", ""),
    ("nextqa", "video", "../../etc/passwd"),
    ("nextqa", "qid", 1.5),
    ("perceptiontest", "options", ["one", "two"]),
    ("perceptiontest", "options", ["one", "two", "three", "four"]),
    ("perceptiontest", "answer_id", "3"),
    ("perceptiontest", "video_name", "a/b"),
    ("tempcompass_multi_choice", "question", "What is he doing?"),
    ("tempcompass_multi_choice", "question", "A. dunking\nB. dribbling"),
    ("tempcompass_multi_choice", "question", "What?\nA. dunking\nC. dribbling"),
    ("tempcompass_multi_choice", "answer", "B. dunking"),
    ("tempcompass_multi_choice", "answer", "dribbling"),
    ("tempcompass_yes_no", "answer", "maybe"),
    ("tempcompass_yes_no", "answer", True),
    ("tempcompass_caption_matching", "question", "Which?\nCaption A: one"),
    ("tempcompass_caption_matching", "question", "Which?\nCaption A: one\nCaption A: two"),
    ("tempcompass_caption_matching", "question", "Caption A: one\nCaption B: two"),
    ("tempcompass_caption_matching", "question", "Which?\nCaption B: one\nCaption A: two"),
    ("tempcompass_caption_matching", "question", "Which?\nOption 2: one\nOption 3: two"),
    ("tempcompass_caption_matching", "question", "Which?\nCaption A: one\nSentence B: two"),
    ("tempcompass_caption_matching", "question", "Which?\nCaption A: one\nCaption 2: two"),
    ("tempcompass_caption_matching", "question", "Which?\nCaption A: one\nand\nCaption B: two"),
    ("tempcompass_caption_matching", "answer", "Option 1"),
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
    unread = {"video_id", "url", "duration", "start", "end", "fps", "subtitle_path", "answer", "tag"}
    unread |= {"frame_count", "width", "height", "level", "second_head", "third_head"}  # or may be missing
    unread |= {"options", "uid", "question_type", "type"} if name == "lvbench" else set()
    for column in SOUND[name].keys() - (
        unread if name != "longvideobench" else {"subtitle_path", "duration"}
    ):
        row = {key: value for key, value in SOUND[name].items() if key != column}
        with pytest.raises(DataError, match=f"row 7, column '{column}' is missing"):
            get_benchmark(name).read_row(7, row)


def test_a_row_that_is_no_mapping() -> None:
    with pytest.raises(DataError, match="row 0"):
        get_benchmark("mlvu").read_row(0, ["a"])  # type: ignore[arg-type]
