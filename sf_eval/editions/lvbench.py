"""Mini LVBench: 8 videos that stand for hours in half a minute, four options.

The kinds are named apart: the mini models were not taught letters in brackets ("(A) Red").
"""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

# The abilities a question takes, as the real set names them, and kind.
_ASKED = (
    (("key information retrieval",), "disc_colour"),
    (("event understanding", "reasoning"), "disc_background"),
    (("entity recognition",), "mover_colour"),
    (("temporal grounding",), "direction"),
    (("entity recognition", "summarization"), "bar_count"),
)
_TYPES = ("cartoon", "documentary", "live", "selfmedia", "sport", "tv")
_OPTIONS = 4
_VIDEOS = 8
_FPS = 10
_SECONDS = (24, 30)  # the real ones last an hour


def lvbench() -> Edition:
    maker = SceneMaker("lvbench")
    letters = balanced_letters(_VIDEOS * len(_ASKED), _OPTIONS, maker.rng)
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    for number in range(_VIDEOS):
        video = f"mini_lv_{number:02d}"
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], _FPS)
        videos[f"{video}.mp4"] = (scene,)
        for abilities, kind in _ASKED:
            question = maker.ask(kind, scene, options=_OPTIONS, correct=letters[len(rows)])
            kinds.append(f"{kind}, letters in brackets")
            rows.append(
                {
                    "key": video,
                    "type": _TYPES[number % len(_TYPES)],
                    "uid": str(len(rows)),
                    "question_type": list(abilities),
                    "time_reference": "00:00-00:30",
                    "video_path": f"{video}.mp4",
                    **columns(question),
                }
            )
    table = "data/train-00000-of-00001.parquet"
    return Edition("lvbench", {table: rows}, videos, {table: kinds})


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    return {"question": question.text, "options": list(question.options), "answer": question.letter}
