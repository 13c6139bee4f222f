"""MVBench: 20 subtasks of 200 questions. Page: docs/benchmarks/mvbench.md."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from sf_eval.benchmarks.document import Benchmark, Document, Group, MediaRef
from sf_eval.benchmarks.layout import HubLayout
from sf_eval.benchmarks.options import by_position
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT_LETTER, join, listed
from sf_eval.benchmarks.rows import RowReader

FOLDERS = {
    "action_sequence": "star/Charades_v1_480",
    "action_prediction": "star/Charades_v1_480",
    "action_antonym": "ssv2_video",
    "fine_grained_action": "Moments_in_Time_Raw/videos",
    "unexpected_action": "FunQA_test/test",
    "object_existence": "clevrer/video_validation",
    "object_interaction": "star/Charades_v1_480",
    "object_shuffle": "perception/videos",
    "moving_direction": "clevrer/video_validation",
    "action_localization": "sta/sta_video",
    "scene_transition": "scene_qa/video",
    "action_count": "perception/videos",
    "moving_count": "clevrer/video_validation",
    "moving_attribute": "clevrer/video_validation",
    "state_change": "perception/videos",
    "fine_grained_pose": "nturgbd",
    "character_order": "perception/videos",
    "egocentric_navigation": "vlnqa",
    "episodic_reasoning": "tvqa/frames_fps3_hq",
    "counterfactual_inference": "clevrer/video_validation",
}
GROUP = Group("mvbench", "MVBench", published_column="mvbench", parts=tuple(FOLDERS))
FRAMES_SUBTASK = "episodic_reasoning"
_FRAMES_FPS = 3.0
_MAY_LIE_DEEPER = ("clevrer/", "star/")


def read_row(subtask: str, index: int, row: Mapping[str, Any]) -> Document:
    reader = RowReader(row, index, f"MVBench {subtask}")
    video = reader.path("video")
    question = reader.text("question")
    options = by_position(reader.texts("candidates"))
    return Document(
        index=index,
        id=f"{subtask}-{index}",
        # With its folder: subtasks share videos, and other folders may use the same names.
        video_id=f"{FOLDERS[subtask]}/{video}",
        media=_media(reader, subtask, video),
        subtitles=None,
        question=question,
        options=options,
        answer=_answer(reader, options),
        categories={"subtask": subtask},
        prompt=join(SELECT_LETTER, question, listed(options), ANSWER_DIRECTLY),
    )


def _answer(reader: RowReader, options: Mapping[str, str]) -> str:
    """The truth is given as a text: the first option that is this text."""
    right = reader.text("answer").strip()
    matching = [letter for letter, text in options.items() if text.strip() == right]
    if not matching:
        reader.fail("answer", f"is {right[:40]!r}, which is none of the candidates")
    return matching[0]


def _media(reader: RowReader, subtask: str, video: str) -> MediaRef:
    folder = FOLDERS[subtask]
    places = [folder, f"video/{folder}"]
    if folder.startswith(_MAY_LIE_DEEPER):
        places += [f"data0613/{folder}", f"video/data0613/{folder}"]
    start_s, end_s = reader.optional_number("start"), reader.optional_number("end")
    if start_s is not None and start_s < 0:
        reader.fail("start", f"is {start_s}, which is before the video begins")
    if end_s is not None and end_s < (start_s or 0.0):  # an end at the start is a moment
        reader.fail("end", f"is {end_s}, which is before the start")
    frames = subtask == FRAMES_SUBTASK
    fps = (reader.optional_number("fps") or _FRAMES_FPS) if frames else None
    if fps is not None and fps < 0:
        reader.fail("fps", f"is {fps}, which is no frame rate")
    candidates = tuple(f"{place}/{video}" for place in places)
    return MediaRef(candidates, start_s=start_s, end_s=end_s, fps=fps, is_frames_folder=frames)


def published_letter(output: str, _options: Mapping[str, str]) -> str:
    """A leading "B." or else the first lone a to e of the text, article or not."""
    if labelled := re.match(r"([A-E])\.\s*.+$", output.strip(), re.IGNORECASE):
        return labelled.group(1).upper()
    text = _without_punctuation(output.replace("\n", " ").replace("\t", " ").strip())
    text = text.strip("'").strip('"').strip(")").strip("(").strip().lower()
    lone = re.search(r"\b[a-e]\b", text)
    return lone.group().upper() if lone else text


def _without_punctuation(text: str) -> str:
    """Punctuation goes; a space takes its place where it stood between two other characters."""
    number_with_comma = re.search(r"\d,\d", text) is not None
    result = text
    for mark in ';/[]"{}()=+\\_-><@`,?!':
        beside_space = f"{mark} " in text or f" {mark}" in text
        result = result.replace(mark, "" if beside_space or number_with_comma else " ")
    # 32 is the value of a flag that was passed where a count was expected.
    return re.sub(r"\.(?!\d)", "", result, count=32)


# Guides: video/{FunQA_test,Moments_in_Time_Raw,clevrer,data0613,perception,scene_qa,ssv2_video,sta,star,tvqa,
# vlnqa}.zip, each holding a folder of its own name. NTU RGB+D's licence keeps its clips out.
_NTU_NOTE = (
    "MVBench's fine_grained_pose uses NTU RGB+D clips, whose licence keeps them out of the repository: "
    "ask for them at their owners and put them into nturgbd/ in this folder, or leave the subtask out "
    "(--tasks mvbench,-mvbench_fine_grained_pose): a mean of 19 of 20."
)

# Which archives a subtask needs, as public scripts have it; data0613.zip holds a few clips that star.zip and
# clevrer.zip lack. A subtask that is not here needs all of them.
_ARCHIVES = {
    "action_antonym": ("ssv2_video",),
    "action_count": ("perception",),
    "action_localization": ("sta",),
    "action_prediction": ("star", "data0613"),
    "action_sequence": ("star", "data0613"),
    "character_order": ("perception",),
    "counterfactual_inference": ("clevrer", "data0613"),
    "egocentric_navigation": ("vlnqa",),
    "episodic_reasoning": ("tvqa",),
    "fine_grained_action": ("Moments_in_Time_Raw",),
    "moving_attribute": ("clevrer", "data0613"),
    "moving_count": ("clevrer", "data0613"),
    "moving_direction": ("clevrer", "data0613"),
    "object_existence": ("clevrer", "data0613"),
    "object_interaction": ("star", "data0613"),
    "object_shuffle": ("perception",),
    "scene_transition": ("scene_qa",),
    "state_change": ("perception",),
    "unexpected_action": ("FunQA_test",),
}


def _layout(subtask: str) -> HubLayout:
    if subtask == "fine_grained_pose":
        return HubLayout((), media=(), note=_NTU_NOTE)
    names = _ARCHIVES.get(subtask)
    archives = tuple(f"video/{name}.zip" for name in names) if names else ("video/*.zip",)
    return HubLayout(archives, media=())


def _benchmark(subtask: str) -> Benchmark:
    return Benchmark(
        name=f"mvbench_{subtask}",
        title=f"MVBench {subtask.replace('_', ' ')}",
        lmms_task=f"sf_mvbench_{subtask}",
        hub_id="OpenGVLab/MVBench",
        hub_config=subtask,
        split="train",
        annotation_files=(
            f"json/{subtask}.json", f"{subtask}.json", f"{subtask}/train-*.parquet",
            f"json/{subtask}.jsonl", f"{subtask}.jsonl",
        ),
        media_root="",
        read_row=partial(read_row, subtask),
        breakdown=(),
        expected_questions=200,
        expected_videos=None,
        published_column=None,
        licence="MIT (annotations); each video source has its own terms",
        group=GROUP,
        folder="mvbench",
        published_reader=published_letter,
        published_drops_empty=True,
        rows_have_times=True,
        layout=_layout(subtask),
    )  # fmt: skip


BENCHMARKS = tuple(_benchmark(subtask) for subtask in FOLDERS)
