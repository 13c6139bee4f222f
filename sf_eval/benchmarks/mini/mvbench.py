"""Mini MVBench: 20 subtasks of 2 videos and 4 questions, in the folders that the real archives unpack to.

Five subtasks have rows with start and end: their files show two different scenes, and the question is about
the one between start and end, so cutting the clip changes what is seen. episodic_reasoning is folders of JPEG
frames at 3 frames a second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sf_eval.benchmarks.mini.edition import Edition, Row
from sf_eval.benchmarks.mini.questions import SceneMaker, ask, balanced_letters
from sf_eval.benchmarks.mini.scene import Scene

_FRAMES_FPS = 3
_SCENE_S = 6.0  # of each of the two scenes in a file whose rows have start and end
_VIDEOS = 2
_QUESTIONS_A_VIDEO = 2


@dataclass(frozen=True)
class _Subtask:
    folder: str
    families: tuple[str, str]
    options: int = 4
    bounded: bool = False


_SUBTASKS = {
    "action_sequence": _Subtask("star/Charades_v1_480", ("direction", "background"), bounded=True),
    "action_prediction": _Subtask("star/Charades_v1_480", ("needle", "direction"), bounded=True),
    "action_antonym": _Subtask("ssv2_video", ("direction", "existence"), options=3),
    "fine_grained_action": _Subtask("Moments_in_Time_Raw/videos", ("direction", "count")),
    "unexpected_action": _Subtask("FunQA_test/test", ("needle", "mover")),
    "object_existence": _Subtask("clevrer/video_validation", ("existence", "mover"), options=3),
    "object_interaction": _Subtask("star/Charades_v1_480", ("mover", "shape"), bounded=True),
    "object_shuffle": _Subtask("perception/videos", ("direction", "shape"), options=3),
    "moving_direction": _Subtask("clevrer/video_validation", ("direction", "mover")),
    "action_localization": _Subtask("sta/sta_video", ("needle", "count"), bounded=True),
    "scene_transition": _Subtask("scene_qa/video", ("background", "needle")),
    "action_count": _Subtask("perception/videos", ("count", "needle")),
    "moving_count": _Subtask("clevrer/video_validation", ("count", "direction")),
    "moving_attribute": _Subtask("clevrer/video_validation", ("mover", "shape")),
    "state_change": _Subtask("perception/videos", ("background", "mover"), options=3),
    "fine_grained_pose": _Subtask("nturgbd", ("shape", "direction")),
    "character_order": _Subtask("perception/videos", ("order", "background"), options=3),
    "egocentric_navigation": _Subtask("vlnqa", ("direction", "background")),
    "episodic_reasoning": _Subtask("tvqa/frames_fps3_hq", ("mover", "background"), options=5, bounded=True),
    "counterfactual_inference": _Subtask("clevrer/video_validation", ("needle", "existence"), options=3),
}


def mvbench() -> Edition:
    maker = SceneMaker("mvbench")
    tables: dict[str, list[Row]] = {}
    videos: dict[str, tuple[Scene, ...]] = {}
    for name, subtask in _SUBTASKS.items():
        letters = balanced_letters(_VIDEOS * _QUESTIONS_A_VIDEO, subtask.options, maker.rng)
        rows = tables[f"json/{name}.json"] = []
        for number in range(_VIDEOS):
            file = f"mini_{name}_{number}"
            if name != "episodic_reasoning":
                file += ".mp4"
            scenes = _scenes(maker, name, subtask, number)
            videos[f"{subtask.folder}/{file}"] = scenes
            for position in range(_QUESTIONS_A_VIDEO):
                asked = (number + position) % len(scenes)
                question = ask(
                    subtask.families[position],
                    scenes[asked],
                    options=subtask.options,
                    correct=letters[len(rows)],
                    rng=maker.rng,
                )
                row: Row = {
                    "video": file,
                    "question": question.text,
                    "candidates": list(question.options),
                    "answer": question.answer,
                }
                if subtask.bounded:
                    row |= _bounds(row, asked)
                if name == "episodic_reasoning":
                    row["fps"] = _FRAMES_FPS
                rows.append(row)
    return Edition("mvbench", tables, videos)


def _scenes(maker: SceneMaker, name: str, subtask: _Subtask, number: int) -> tuple[Scene, ...]:
    if not subtask.bounded:
        return (maker.scene(8.0 + 8.0 * number, 12, many_colours="order" in subtask.families),)
    fps = _FRAMES_FPS if name == "episodic_reasoning" else 12
    first, second = maker.scene(_SCENE_S, fps), maker.scene(_SCENE_S, fps)
    if second.background == first.background:
        second = replace(second, background="dark grey" if first.background != "dark grey" else "dark red")
    return first, second


def _bounds(row: Row, scene: int) -> Row:
    """Start and end (seconds in the file) of what the question is about, said in the question too."""
    start, end = scene * _SCENE_S + 0.5, (scene + 1) * _SCENE_S - 0.5
    text = row["question"]
    asked = f"From second {start} to second {end}: {text[0].lower()}{text[1:]}"
    return {"question": asked, "start": start, "end": end}
