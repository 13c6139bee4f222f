"""Mini MLVU: the dev set (7 task types, options A to D) and the test set (9 task types, options A to F)."""

from __future__ import annotations

from collections.abc import Sequence

from sf_eval.benchmarks.mini.edition import Edition, Row
from sf_eval.benchmarks.mini.questions import SceneMaker, ask, balanced_letters
from sf_eval.benchmarks.mini.scene import Scene

_FAMILY = {
    "needle": "needle", "needleQA": "needle", "anomaly_reco": "needle", "order": "order", "count": "count",
    "ego": "direction", "plotQA": "mover", "topic_reasoning": "background", "sportsQA": "direction",
    "tutorialQA": "shape",
}  # fmt: skip
_SECONDS = (30, 45, 60, 75, 90, 120)
# Questions of each video. "order" needs flashes of several colours, needle and anomaly those of one.
_DEV: tuple[tuple[str, ...], ...] = (
    ("needle", "count", "ego"), ("order", "plotQA", "topic_reasoning"),
    ("needle", "plotQA", "topic_reasoning"), ("order", "count", "ego"),
    ("needle", "anomaly_reco", "count"), ("order", "ego", "plotQA"),
    ("needle", "anomaly_reco", "topic_reasoning"), ("order", "count", "topic_reasoning"),
    ("needle", "anomaly_reco", "ego"), ("order", "plotQA", "count"),
    ("needle", "anomaly_reco", "plotQA"), ("order", "topic_reasoning", "ego"),
    ("anomaly_reco", "count", "plotQA"), ("anomaly_reco", "ego", "topic_reasoning"),
)  # fmt: skip
_TEST: tuple[tuple[str, ...], ...] = (
    ("needleQA", "count", "ego"), ("order", "sportsQA", "tutorialQA"),
    ("needleQA", "plotQA", "topic_reasoning"), ("order", "count", "ego"),
    ("anomaly_reco", "sportsQA", "tutorialQA"), ("order", "plotQA", "topic_reasoning"),
    ("anomaly_reco", "count", "sportsQA"), ("order", "ego", "tutorialQA"),
    ("needleQA", "anomaly_reco", "plotQA"), ("count", "topic_reasoning", "tutorialQA"),
    ("needleQA", "anomaly_reco", "sportsQA"), ("ego", "plotQA", "topic_reasoning"),
)  # fmt: skip


def mlvu() -> Edition:
    return _edition("mlvu", _DEV, options=4, prefix="dev")


def mlvu_test() -> Edition:
    return _edition("mlvu_test", _TEST, options=6, prefix="test")


def _edition(name: str, plan: Sequence[tuple[str, ...]], *, options: int, prefix: str) -> Edition:
    maker = SceneMaker(name)
    letters = balanced_letters(sum(map(len, plan)), options, maker.rng)
    rows: list[Row] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    for number, task_types in enumerate(plan):
        seconds = _SECONDS[number % len(_SECONDS)]
        scene = maker.scene(seconds, 10 if seconds > 60 else 12, many_colours="order" in task_types)
        video_name = f"mini_{prefix}_{number:02d}.mp4"
        videos[video_name] = (scene,)
        for task_type in task_types:
            correct = letters[len(rows)]
            question = ask(_FAMILY[task_type], scene, options=options, correct=correct, rng=maker.rng)
            listed = "".join(
                f"({letter}) {text}\n" for letter, text in zip("ABCDEF", question.options, strict=False)
            )
            rows.append(
                {
                    "video_name": video_name,
                    "duration": float(seconds),
                    "question": f"{question.text}\n{listed}",
                    "answer": question.letter,
                    "task_type": task_type,
                }
            )
    return Edition(name, {"data/test-00000-of-00001.parquet": rows}, videos)
