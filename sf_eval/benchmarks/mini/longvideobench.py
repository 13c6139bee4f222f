"""Mini LongVideoBench (validation): 2 to 5 options, four duration groups, subtitles as JSON.

The duration groups keep the real names (15, 60, 600, 3600 seconds) although the two long ones are shown in
80 to 120 seconds here: `duration` is the file's true length.
"""

from __future__ import annotations

import json

from sf_eval.benchmarks.mini.edition import Edition, Row
from sf_eval.benchmarks.mini.questions import SceneMaker, ask, balanced_letters
from sf_eval.benchmarks.mini.scene import Scene

_FILMS: tuple[tuple[int, float], ...] = (
    (15, 9), (60, 24), (600, 80), (3600, 110), (15, 12), (60, 40), (600, 90), (3600, 120),
    (15, 14), (60, 56), (600, 70), (3600, 100),
)  # fmt: skip
# Question category and family; categories are those of the paper (perception and relation levels).
_KINDS = (
    ("S2A", "background"), ("E2O", "needle"), ("S2O", "mover"), ("E2E", "count"), ("T2A", "direction"),
    ("T2O", "existence"), ("O2E", "shape"),
)  # fmt: skip
_OPTIONS = (5, 4, 3, 2)


def longvideobench() -> Edition:
    maker = SceneMaker("longvideobench")
    rows: list[Row] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    texts: dict[str, str] = {}
    letters = {options: balanced_letters(40, options, maker.rng) for options in _OPTIONS}
    for number, (group, seconds) in enumerate(_FILMS):
        video_id = f"mini-lvb-{number:02d}"
        scene = maker.scene(seconds, 10)
        videos[f"videos/{video_id}.mp4"] = (scene,)
        texts[f"subtitles/{video_id}_en.json"] = _subtitles(scene)
        for position in range(3):
            category, family = _KINDS[len(rows) % len(_KINDS)]
            count = _OPTIONS[len(rows) % len(_OPTIONS)]
            if family == "existence":
                count = 2 + len(rows) % 2  # yes, no, not sure: there is no fourth answer
            correct = letters[count].pop()
            question = ask(family, scene, options=count, correct=correct, rng=maker.rng)
            shown = [*question.options, *["N/A"] * (5 - count)]
            rows.append(
                {
                    "video_id": video_id,
                    "video_path": f"{video_id}.mp4",
                    "id": f"{video_id}_{position}",
                    "question": question.text,
                    **{f"option{place}": text for place, text in enumerate(shown)},
                    "correct_choice": question.correct,
                    "duration_group": group,
                    "question_category": category,
                    "duration": float(seconds),
                    "subtitle_path": f"{video_id}_en.json",
                    "starting_timestamp_for_subtitles": 0.0,
                }
            )
    return Edition("longvideobench", {"validation-00000-of-00001.parquet": rows}, videos, texts)


def _subtitles(scene: Scene) -> str:
    tick_s = scene.duration_s / scene.num_ticks
    lines = [
        {"start": _stamp(f.tick * tick_s), "end": _stamp((f.tick + 1) * tick_s), "line": "Something flashed."}
        for f in scene.flashes
    ]
    return json.dumps(lines, indent=1) + "\n"


def _stamp(seconds: float) -> str:
    minutes, rest = divmod(round(seconds * 1000), 60_000)
    return f"00:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
