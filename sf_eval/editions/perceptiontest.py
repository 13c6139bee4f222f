"""Mini Perception Test (validation set, multiple choice): 10 short videos, three options."""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

# Skill area, reasoning, tag and kind, as the real set names them; videos take the lines by turns.
_ASKED = (
    (("Memory", "descriptive", "event recall", "disc_colour"),
     ("Semantics", "explanatory", "event counting", "bar_count"),
     ("Physics", "descriptive", "motion", "direction"),
     ("Abstraction", "descriptive", "object recognition", "mover_colour")),
    (("Memory", "explanatory", "event recall", "disc_background"),
     ("Semantics", "explanatory", "event counting", "bar_count"),
     ("Physics", "descriptive", "motion", "direction"),
     ("Abstraction", "descriptive", "place recognition", "background_seen")),
)  # fmt: skip
_OPTIONS = 3
_SECONDS = (14, 18, 22)
_VIDEOS = 10
_FPS = 10


def perceptiontest() -> Edition:
    maker = SceneMaker("perceptiontest")
    letters = balanced_letters(_VIDEOS * len(_ASKED[0]), _OPTIONS, maker.rng)
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    for number in range(_VIDEOS):
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], _FPS)
        video = f"video_{9000 + number}"
        videos[f"videos/{video}.mp4"] = (scene,)
        for position, (area, reasoning, tag, kind) in enumerate(_ASKED[number % len(_ASKED)]):
            question = maker.ask(kind, scene, options=_OPTIONS, correct=letters[len(rows)])
            kinds.append(kind)
            rows.append(
                {
                    "video_name": video,
                    "question_id": str(position),
                    "area": area,
                    "reasoning": reasoning,
                    "tag": [tag],
                    **columns(question),
                }
            )
    table = "mc_question_val/validation-00000-of-00001.parquet"
    return Edition("perceptiontest", {table: rows}, videos, {table: kinds})


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    return {
        "question": question.text,
        "options": list(question.options),
        "answer_id": str(question.correct),
    }
