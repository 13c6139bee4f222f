"""Mini EgoSchema: 12 videos; the full set (answers withheld, as in the real one) and the answered subset."""

from __future__ import annotations

from sf_eval.benchmarks.mini.edition import Edition, Row
from sf_eval.benchmarks.mini.questions import SceneMaker, ask, balanced_letters
from sf_eval.benchmarks.mini.scene import Scene

_FAMILIES = ("needle", "mover", "background", "count", "shape")
_VIDEOS = 12
_QUESTIONS_A_VIDEO = 3
_ANSWERED_VIDEOS = 8


def egoschema() -> Edition:
    maker = SceneMaker("egoschema")
    letters = balanced_letters(_VIDEOS * _QUESTIONS_A_VIDEO, 5, maker.rng)
    full: list[Row] = []
    subset: list[Row] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    for number in range(_VIDEOS):
        scene = maker.scene(30 if number % 2 else 20, 12)
        video_idx = f"mini-ego-{number:02d}"
        videos[f"videos/{video_idx}.mp4"] = (scene,)
        for position in range(_QUESTIONS_A_VIDEO):
            family = _FAMILIES[(_QUESTIONS_A_VIDEO * number + position) % len(_FAMILIES)]
            question = ask(family, scene, options=5, correct=letters[len(full)], rng=maker.rng)
            row: Row = {
                "question_idx": str(len(full)),
                "question": question.text,
                "video_idx": video_idx,
                "option": [
                    f"{letter}. {text}" for letter, text in zip("ABCDE", question.options, strict=True)
                ],
            }
            full.append({**row, "answer": None})
            if number < _ANSWERED_VIDEOS:
                subset.append({**row, "answer": str(question.correct)})
    tables = {
        "GENERATION/test-00000-of-00001.parquet": full,
        "Subset/test-00000-of-00001.parquet": subset,
    }
    return Edition("egoschema", tables, videos)
