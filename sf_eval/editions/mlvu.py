"""Mini MLVU: the dev set (7 task types, options A to D) and the test set (8 of its 9, options A to F)."""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

# Task type and kind, in the order of a video's questions; videos take the lines by turns. The test set has
# six options, so that only kinds with six possible answers are asked there (`most_options`): no counting.
_DEV = (
    (("needle", "disc_colour"), ("count", "bar_count"), ("anomaly_reco", "disc_background"),
     ("ego", "direction"), ("plotQA", "mover_colour"), ("topic_reasoning", "background_seen")),
    (("needle", "disc_colour"), ("count", "bar_count"), ("order", "disc_background"),
     ("ego", "direction"), ("plotQA", "mover_colour"), ("topic_reasoning", "background_seen")),
)  # fmt: skip
_TEST = (
    (("needleQA", "disc_colour"), ("anomaly_reco", "disc_background"), ("plotQA", "mover_colour"),
     ("topic_reasoning", "background_seen")),
    (("needleQA", "disc_colour"), ("order", "disc_background"), ("sportsQA", "mover_colour"),
     ("ego", "background_seen")),
    (("needleQA", "disc_colour"), ("order", "disc_background"), ("tutorialQA", "mover_colour"),
     ("ego", "background_seen")),
)  # fmt: skip
_DEV_SECONDS = (48, 60, 72, 84, 96, 120)
_TEST_SECONDS = (40, 52, 64)


def mlvu() -> Edition:
    return _edition("mlvu", _DEV, _DEV_SECONDS, videos=20, options=4, prefix="dev", inner_folder="mlvu")


def mlvu_test() -> Edition:
    return _edition(
        "mlvu_test", _TEST, _TEST_SECONDS, videos=25, options=6, prefix="test", inner_folder="data"
    )


def _edition(
    name: str,
    plan: tuple[tuple[tuple[str, str], ...], ...],
    durations_s: tuple[int, ...],
    *,
    videos: int,
    options: int,
    prefix: str,
    inner_folder: str,
) -> Edition:
    maker = SceneMaker(name)
    letters = balanced_letters(videos * len(plan[0]), options, maker.rng)
    rows: list[Row] = []
    kinds: list[str] = []
    scenes: dict[str, tuple[Scene, ...]] = {}
    for number in range(videos):
        seconds = durations_s[number % len(durations_s)]
        scene = maker.scene(seconds, 10 if seconds > 60 else 12)
        video_name = f"mini_{prefix}_{number:02d}.mp4"
        scenes[video_name] = (scene,)
        for task_type, kind in plan[number % len(plan)]:
            question = maker.ask(kind, scene, options=options, correct=letters[len(rows)])
            kinds.append(kind)
            rows.append(
                {
                    "video_name": video_name,
                    "duration": float(seconds),
                    **columns(question),
                    "task_type": task_type,
                }
            )
    table = f"{inner_folder}/test-00000-of-00001.parquet"
    return Edition(name, {table: rows}, scenes, {table: kinds})


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    listed = "".join(f"({letter}) {text}\n" for letter, text in zip("ABCDEF", question.options, strict=False))
    return {"question": f"{question.text}\n{listed}", "answer": question.letter}
