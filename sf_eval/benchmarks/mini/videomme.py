"""Mini Video-MME: 12 videos in three durations, 3 questions each, subtitles for most (both forms of .srt)."""

from __future__ import annotations

from sf_eval.benchmarks.mini.edition import Edition, Row
from sf_eval.benchmarks.mini.questions import SceneMaker, ask, balanced_letters
from sf_eval.benchmarks.mini.scene import Scene

# Duration class, seconds, frames a second, file suffix. The suffixes are the three that the real set has.
_FILMS: tuple[tuple[str, float, int, str], ...] = (
    ("short", 5, 24, ".mp4"), ("short", 8, 30, ".mp4"),
    ("short", 10, 12, ".MP4"), ("short", 14, 10, ".mkv"),
    ("medium", 20, 24, ".mp4"), ("medium", 28, 12, ".mp4"),
    ("medium", 36, 10, ".mp4"), ("medium", 45, 10, ".mkv"),
    ("long", 60, 12, ".mp4"), ("long", 80, 10, ".mp4"),
    ("long", 100, 8, ".mp4"), ("long", 120, 10, ".mp4"),
)  # fmt: skip
_SIZES = ((128, 96), (160, 90), (96, 128))
_DOMAINS = (
    "Knowledge", "Film & Television", "Sports Competition",
    "Artistic Performance", "Life Record", "Multilingual",
)  # fmt: skip
_TASK_TYPES = {
    "needle": "Temporal Perception",
    "count": "Counting Problem",
    "direction": "Action Recognition",
    "mover": "Object Recognition",
    "background": "Attribute Perception",
}
_WITHOUT_SUBTITLES = (2, 7)  # some of the real videos have none either


def videomme() -> Edition:
    maker = SceneMaker("videomme")
    families = list(_TASK_TYPES)
    letters = balanced_letters(3 * len(_FILMS), 4, maker.rng)
    rows: list[Row] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    texts: dict[str, str] = {}
    for number, (duration, seconds, fps, suffix) in enumerate(_FILMS):
        video_id = f"mini-{number:03d}"
        scene = maker.scene(seconds, fps, size=_SIZES[number % len(_SIZES)])
        videos[f"data/{video_id}{suffix}"] = (scene,)
        if number not in _WITHOUT_SUBTITLES:
            texts[f"subtitle/{video_id}.srt"] = subtitles(scene, font_tags=number % 2 == 1)
        for position in range(3):
            family = families[(3 * number + position) % len(families)]
            question = ask(family, scene, options=4, correct=letters[len(rows)], rng=maker.rng)
            rows.append(
                {
                    "video_id": f"{number + 1:03d}",
                    "duration": duration,
                    "domain": _DOMAINS[number % len(_DOMAINS)],
                    "sub_category": "Synthetic",
                    "url": "",
                    "videoID": video_id,
                    "question_id": f"{number + 1:03d}-{position + 1}",
                    "task_type": _TASK_TYPES[family],
                    "question": question.text,
                    "options": [
                        f"{letter}. {text}." for letter, text in zip("ABCD", question.options, strict=True)
                    ],
                    "answer": question.letter,
                }
            )
    return Edition("videomme", {"videomme/test-00000-of-00001.parquet": rows}, videos, texts)


def subtitles(scene: Scene, *, font_tags: bool) -> str:
    """An .srt that says what a bystander would, without giving an answer away but for the count of flashes.

    `font_tags` wraps each line as the automatically made subtitles of the real set are wrapped.
    """
    tick_s = scene.duration_s / scene.num_ticks
    lines = [(0.0, 0.4, "Here it begins.")]
    lines += [(f.tick * tick_s, (f.tick + 1) * tick_s, "Something flashed.") for f in scene.flashes]
    lines.append((scene.duration_s - 0.4, scene.duration_s, "That was all."))
    blocks = []
    for number, (start, end, text) in enumerate(lines, start=1):
        shown = f'<font color="white" size=".72c">{text}</font>' if font_tags else text
        blocks.append(f"{number}\n{_stamp(start)} --> {_stamp(end)}\n{shown}\n")
    return "\n".join(blocks)


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"00:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
