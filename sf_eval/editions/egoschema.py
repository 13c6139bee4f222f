"""Mini EgoSchema: 28 videos; the full set (answers withheld, as in the real one) and the answered subset.

All questions have five options, so that only kinds with five possible answers are asked (`most_options`).
"""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

_KINDS = ("disc_colour", "mover_colour", "disc_background", "background_seen")
_OPTIONS = 5
_VIDEOS = 28
_ANSWERED_VIDEOS = 26
_SECONDS = (64, 80, 56, 96)  # the real clips last three minutes


def egoschema() -> Edition:
    maker = SceneMaker("egoschema")
    letters = balanced_letters(_VIDEOS * len(_KINDS), _OPTIONS, maker.rng)
    full: list[Row] = []
    subset: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    for number in range(_VIDEOS):
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], 10)
        video_idx = f"mini-ego-{number:02d}"
        videos[f"videos/{video_idx}.mp4"] = (scene,)
        for kind in _KINDS:
            question = maker.ask(kind, scene, options=_OPTIONS, correct=letters[len(full)])
            row: Row = {"question_idx": str(len(full)), "video_idx": video_idx, **columns(question)}
            kinds.append(kind)
            full.append({**row, "answer": None})
            if number < _ANSWERED_VIDEOS:
                subset.append(row)
    tables = {
        "GENERATION/test-00000-of-00001.parquet": full,
        "Subset/test-00000-of-00001.parquet": subset,
    }
    return Edition("egoschema", tables, videos, {table: kinds[: len(rows)] for table, rows in tables.items()})


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    return {
        "question": question.text,
        "option": [f"{letter}. {text}" for letter, text in zip("ABCDEF", question.options, strict=False)],
        "answer": str(question.correct),
    }
