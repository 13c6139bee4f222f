"""Mini NExT-QA (test set): 10 short videos, four question types; five options, and open questions (OE).

The kinds are named apart: the mini models were not taught a prompt that ends with its options.
"""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.open_questions import nextqa_rows
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

# Question type and kind. With five options only kinds with so many values are asked (`most_options`).
_ASKED = (
    ("DO", "disc_colour"),
    ("TC", "disc_background"),
    ("TN", "mover_colour"),
    ("DL", "background_seen"),
)
_OPTIONS = 5
_SECONDS = (12, 16, 20, 24)
_VIDEOS = 10
_FPS = 10
_FIRST_VIDEO = 900_000_000


def nextqa() -> Edition:
    maker = SceneMaker("nextqa")
    letters = balanced_letters(_VIDEOS * len(_ASKED), _OPTIONS, maker.rng)
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    scenes: dict[int, Scene] = {}
    for number in range(_VIDEOS):
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], _FPS)
        video = _FIRST_VIDEO + number
        scenes[video] = scene
        videos[f"NExTVideo/{video}.mp4"] = (scene,)
        for position, (question_type, kind) in enumerate(_ASKED):
            question = maker.ask(kind, scene, options=_OPTIONS, correct=letters[len(rows)])
            kinds.append(f"{kind}, no instruction")
            rows.append(
                {
                    "video": video,
                    "frame_count": scene.num_frames,
                    "width": scene.width,
                    "height": scene.height,
                    "qid": position,
                    "type": question_type,
                    **columns(question),
                }
            )
    choice, open_ended = "MC/test-00000-of-00001.parquet", "OE/test-00000-of-00001.parquet"
    open_rows, open_kinds = nextqa_rows(scenes)
    tables = {choice: rows, open_ended: open_rows}
    return Edition("nextqa", tables, videos, {choice: kinds, open_ended: open_kinds})


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    texts = {f"a{place}": text for place, text in enumerate(question.options)}
    return {"question": question.text, "answer": question.correct, **texts}
