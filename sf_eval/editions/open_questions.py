"""Mini NExT-QA (open-ended), on the videos of its other part, and mini ActivityNet-QA, on 12 short ones.

The mini models were trained to name letters, so that their open answers are no words of these: what they show
is that such a set is asked, settled and told for what it is.
"""

from __future__ import annotations

from collections.abc import Mapping

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import SceneMaker
from sf_eval.editions.scene import Scene

_SECONDS = (8, 12, 16, 20)
_VIDEOS = 12
_FPS = 10
_COUNTS = {"1": "one", "2": "two", "3": "three", "4": "four"}

# NExT-QA's question type and kind: what is counted is matched, all else is told by the likeness of words.
_NEXTQA = (
    ("DC", "bar_count"), ("DO", "disc_colour"), ("TN", "direction"), ("DL", "disc_background"),
)  # fmt: skip
_OTHER_WORDS = {
    "rightwards": "to the right",
    "leftwards": "to the left",
    "upwards": "up",
    "downwards": "down",
}

# ActivityNet-QA's type by number and kind.
_ACTIVITYNET = ((7, "bar_count"), (4, "disc_colour"), (0, "direction"), (4, "mover_colour"))


def nextqa_rows(videos: Mapping[int, Scene]) -> tuple[list[Row], list[str]]:
    """Open questions about NExT-QA's videos (by number) as the real set has them, and the kind of each."""
    maker = SceneMaker("nextqa_oe")
    rows: list[Row] = []
    kinds: list[str] = []
    for video, scene in videos.items():
        for position, (question_type, kind) in enumerate(_NEXTQA):
            question, answer = _asked(maker, kind, scene)
            kinds.append(kind)
            rows.append(
                {
                    "video": video,
                    "frame_count": scene.num_frames,
                    "width": scene.width,
                    "height": scene.height,
                    "question": question,
                    "answer": answer,
                    "qid": position,
                    "type": question_type,
                    "additional_ref_answer": _OTHER_WORDS.get(answer),
                }
            )
    return rows, kinds


def activitynetqa() -> Edition:
    maker = SceneMaker("activitynetqa")
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    for number in range(_VIDEOS):
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], _FPS)
        video = f"mini_anet{number:02d}"
        videos[f"all_test/v_{video}.mp4"] = (scene,)
        for position, (answer_type, kind) in enumerate(_ACTIVITYNET):
            question, answer = _asked(maker, kind, scene)
            kinds.append(kind)
            rows.append(
                {
                    "video_name": video,
                    "question": question.lower().rstrip("?."),  # as the real set has them
                    "question_id": f"{video}_{position}",
                    "answer": answer,
                    "type": answer_type,
                }
            )
    table = "data/test-00000-of-00001.parquet"
    return Edition("activitynetqa", {table: rows}, videos, {table: kinds})


def _asked(maker: SceneMaker, kind: str, scene: Scene) -> tuple[str, str]:
    """A question and its answer in one word."""
    question = maker.ask(kind, scene, options=2, correct=0)
    answer = question.answer.lower()
    return question.text, _COUNTS.get(answer, answer)
