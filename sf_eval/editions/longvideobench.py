"""Mini LongVideoBench (validation): 2 to 5 options, four duration groups, subtitles as JSON.

The duration groups keep the real names (15, 60, 600, 3600 seconds) although the two long ones are shown in
70 to 120 seconds here: `duration` is the file's true length.
"""

from __future__ import annotations

import json

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters, most_options
from sf_eval.editions.scene import Scene

_FILMS: tuple[tuple[int, float], ...] = (
    (15, 9), (60, 24), (600, 80), (3600, 110), (15, 12), (60, 40), (600, 90), (3600, 120),
    (15, 14), (60, 56), (600, 70), (3600, 100), (60, 48), (60, 60), (600, 74), (3600, 104),
    (60, 52), (60, 44), (600, 84), (3600, 116), (600, 78),
)  # fmt: skip
# Question category and kind; categories are those of the paper (perception and relation levels).
_BRIEF = (("E2O", "disc_colour"), ("E2E", "bar_count"), ("O3O", "disc_background"))
_GLOBAL = (("T2A", "direction"), ("S2O", "mover_colour"), ("S2A", "background_seen"))
_OPTIONS = (5, 4, 3, 2)


def longvideobench() -> Edition:
    maker = SceneMaker("longvideobench")
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    texts: dict[str, str] = {}
    letters = {options: balanced_letters(60, options, maker.rng) for options in _OPTIONS}
    for number, (group, seconds) in enumerate(_FILMS):
        video_id = f"mini-lvb-{number:02d}"
        scene = maker.scene(seconds, 10)
        videos[f"videos/{video_id}.mp4"] = (scene,)
        texts[f"subtitles/{video_id}_en.json"] = _subtitles(seconds)
        asked = (
            (*_GLOBAL, *_BRIEF)[:4]
            if group == 15
            else (*_BRIEF, _GLOBAL[number % 3], _GLOBAL[(number + 1) % 3])
        )
        for position, (category, kind) in enumerate(asked):
            count = min(_OPTIONS[len(rows) % len(_OPTIONS)], most_options(kind))
            question = maker.ask(kind, scene, options=count, correct=letters[count].pop())
            kinds.append(kind)
            rows.append(
                {
                    "video_id": video_id,
                    "video_path": f"{video_id}.mp4",
                    "id": f"{video_id}_{position}",
                    **columns(question),
                    "duration_group": group,
                    "question_category": category,
                    "duration": float(seconds),
                    "subtitle_path": f"{video_id}_en.json",
                    "starting_timestamp_for_subtitles": 0.0,
                }
            )
    table = "validation-00000-of-00001.parquet"
    return Edition("longvideobench", {table: rows}, videos, {table: kinds}, texts)


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    shown = [*question.options, *["N/A"] * (5 - len(question.options))]
    return {
        "question": question.text,
        **{f"option{place}": text for place, text in enumerate(shown)},
        "correct_choice": question.correct,
    }


def _subtitles(duration_s: float) -> str:
    lines = [
        {"start": _stamp(0.0), "end": _stamp(duration_s * 0.2), "line": "Here it begins."},
        {"start": _stamp(duration_s * 0.8), "end": _stamp(duration_s), "line": "That was all."},
    ]
    return json.dumps(lines, indent=1) + "\n"


def _stamp(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
