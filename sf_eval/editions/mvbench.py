"""Mini MVBench: 20 subtasks of 2 videos and 6 questions, in the folders that the real archives unpack to.

Five subtasks have rows with start and end: their files begin with a bare background that belongs to nothing,
and the rows' span leaves it out, so cutting the clip changes what is seen, not what is true.
episodic_reasoning is folders of JPEG frames at 3 frames a second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import DARK, Scene

_FRAMES_FPS = 3
_FPS = 10
_LEAD_S = 4.0  # of the bare background
_SECONDS = (44.0, 56.0)
_BRIEF = ("disc_colour", "bar_count", "disc_background")
_GLOBAL = ("direction", "mover_colour", "background_seen")


@dataclass(frozen=True)
class _Subtask:
    folder: str
    kinds: tuple[str, str, str]
    options: int = 4
    bounded: bool = False


_SUBTASKS = {
    "action_sequence": _Subtask(
        "star/Charades_v1_480", ("disc_colour", "bar_count", "direction"), bounded=True
    ),
    "action_prediction": _Subtask(
        "star/Charades_v1_480", ("disc_background", "direction", "mover_colour"), bounded=True
    ),
    "action_antonym": _Subtask("ssv2_video", ("direction", "disc_colour", "mover_colour"), options=3),
    "fine_grained_action": _Subtask("Moments_in_Time_Raw/videos", ("direction", "bar_count", "disc_colour")),
    "unexpected_action": _Subtask("FunQA_test/test", ("disc_colour", "disc_background", "mover_colour")),
    "object_existence": _Subtask(
        "clevrer/video_validation", ("background_seen", "disc_colour", "mover_colour"), options=3
    ),
    "object_interaction": _Subtask(
        "star/Charades_v1_480", ("mover_colour", "disc_colour", "bar_count"), bounded=True
    ),
    "object_shuffle": _Subtask("perception/videos", ("direction", "bar_count", "background_seen"), options=3),
    "moving_direction": _Subtask(
        "clevrer/video_validation", ("direction", "mover_colour", "disc_background")
    ),
    "action_localization": _Subtask(
        "sta/sta_video", ("disc_background", "bar_count", "disc_colour"), bounded=True
    ),
    "scene_transition": _Subtask("scene_qa/video", ("background_seen", "disc_background", "direction")),
    "action_count": _Subtask("perception/videos", ("bar_count", "disc_colour", "direction")),
    "moving_count": _Subtask("clevrer/video_validation", ("bar_count", "direction", "background_seen")),
    "moving_attribute": _Subtask("clevrer/video_validation", ("mover_colour", "disc_colour", "bar_count")),
    "state_change": _Subtask(
        "perception/videos", ("disc_background", "background_seen", "mover_colour"), options=3
    ),
    "fine_grained_pose": _Subtask("nturgbd", ("direction", "disc_colour", "bar_count")),
    "character_order": _Subtask(
        "perception/videos", ("disc_background", "disc_colour", "background_seen"), options=3
    ),
    "egocentric_navigation": _Subtask("vlnqa", ("direction", "background_seen", "disc_background")),
    "episodic_reasoning": _Subtask(
        "tvqa/frames_fps3_hq", ("mover_colour", "background_seen", "disc_colour"), options=5, bounded=True
    ),
    "counterfactual_inference": _Subtask(
        "clevrer/video_validation", ("disc_colour", "bar_count", "mover_colour"), options=3
    ),
}


def mvbench() -> Edition:
    maker = SceneMaker("mvbench")
    tables: dict[str, list[Row]] = {}
    kinds: dict[str, list[str]] = {}
    videos: dict[str, tuple[Scene, ...]] = {}
    for name, subtask in _SUBTASKS.items():
        letters = balanced_letters(len(_SECONDS) * len(subtask.kinds), subtask.options, maker.rng)
        table = f"json/{name}.json"
        rows, tables[table], kinds[table] = list[Row](), [], []
        for number, seconds in enumerate(_SECONDS):
            file = f"mini_{name}_{number}" + ("" if name == "episodic_reasoning" else ".mp4")
            fps = _FRAMES_FPS if name == "episodic_reasoning" else _FPS
            scene = maker.scene(seconds, fps)
            videos[f"{subtask.folder}/{file}"] = (_lead(scene), scene) if subtask.bounded else (scene,)
            for kind in subtask.kinds:
                question = maker.ask(kind, scene, options=subtask.options, correct=letters[len(rows)])
                row: Row = {"video": file, **columns(question)}
                if subtask.bounded:
                    row |= {"start": _LEAD_S, "end": _LEAD_S + seconds}
                if name == "episodic_reasoning":
                    row["fps"] = _FRAMES_FPS
                rows.append(row)
                kinds[table].append(kind)
        tables[table] = rows
    return Edition("mvbench", tables, videos, kinds)


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    return {"question": question.text, "candidates": list(question.options), "answer": question.answer}


def _lead(scene: Scene) -> Scene:
    """The bare background before a scene: one of the scene's own, so that no question turns on it."""
    return replace(
        scene,
        backgrounds=(next(name for name in DARK if name in scene.backgrounds[1:]),),
        mover="",
        disc="",
        bars=0,
        end_card=False,
        duration_s=_LEAD_S,
    )
