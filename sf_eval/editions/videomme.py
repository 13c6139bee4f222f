"""Mini Video-MME: 24 videos in three durations, 5 questions each, subtitles for most (both forms of .srt)."""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

# Duration class, seconds, frames a second, file suffix. The suffixes are the three that the real set has.
_FILMS: tuple[tuple[str, float, int, str], ...] = (
    ("short", 5, 24, ".mp4"), ("short", 8, 30, ".mp4"), ("short", 10, 12, ".MP4"),
    ("short", 12, 24, ".mkv"), ("short", 14, 10, ".mp4"), ("short", 16, 20, ".mp4"),
    ("medium", 28, 12, ".mp4"), ("medium", 36, 10, ".mkv"), ("medium", 40, 24, ".mp4"),
    ("medium", 45, 10, ".mp4"), ("medium", 48, 12, ".mp4"), ("medium", 52, 10, ".mp4"),
    ("medium", 56, 12, ".mp4"), ("medium", 60, 10, ".mp4"),
    ("long", 64, 12, ".mp4"), ("long", 70, 10, ".mp4"), ("long", 76, 10, ".mp4"), ("long", 80, 12, ".mp4"),
    ("long", 88, 10, ".mp4"), ("long", 94, 10, ".mp4"), ("long", 100, 10, ".mp4"), ("long", 106, 10, ".mp4"),
    ("long", 114, 10, ".mp4"), ("long", 120, 10, ".mp4"),
)  # fmt: skip
_SIZES = ((128, 96), (160, 90), (96, 128))
_DOMAINS = (
    "Knowledge", "Film & Television", "Sports Competition",
    "Artistic Performance", "Life Record", "Multilingual",
)  # fmt: skip
_TASK_TYPES = {
    "disc_colour": "Temporal Perception",
    "bar_count": "Counting Problem",
    "disc_background": "Temporal Reasoning",
    "direction": "Action Recognition",
    "mover_colour": "Object Recognition",
    "background_seen": "Attribute Perception",
    "subtitle_word": "Information Synopsis",
}
_GLOBAL = ("direction", "mover_colour", "background_seen")
_BRIEF = ("disc_colour", "bar_count", "disc_background")
_WITHOUT_SUBTITLES = (2, 7)  # some of the real videos have none either


def videomme() -> Edition:
    maker = SceneMaker("videomme")
    letters = balanced_letters(5 * len(_FILMS), 4, maker.rng)
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    texts: dict[str, str] = {}
    for number, (duration, seconds, fps, suffix) in enumerate(_FILMS):
        video_id = f"mini-{number:03d}"
        scene = maker.scene(seconds, fps, size=_SIZES[number % len(_SIZES)])
        word, sentence = maker.saying()
        videos[f"data/{video_id}{suffix}"] = (scene,)
        if number not in _WITHOUT_SUBTITLES:
            texts[f"subtitle/{video_id}.srt"] = subtitles(seconds, sentence, font_tags=number % 2 == 1)
        for position, kind in enumerate(_kinds(number, duration)):
            question = maker.ask(kind, scene, options=4, correct=letters[len(rows)], word=word)
            kinds.append(kind)
            rows.append(
                {
                    "video_id": f"{number + 1:03d}",
                    "duration": duration,
                    "domain": _DOMAINS[number % len(_DOMAINS)],
                    "sub_category": "Synthetic",
                    "url": "",
                    "videoID": video_id,
                    "question_id": f"{number + 1:03d}-{position + 1}",
                    "task_type": _TASK_TYPES[kind],
                    **columns(question),
                }
            )
    table = "videomme/test-00000-of-00001.parquet"
    return Edition("videomme", {table: rows}, videos, {table: kinds}, texts)


def columns(question: Question) -> Row:
    """The columns of a row that hold a question."""
    return {
        "question": question.text,
        "options": [f"{letter}. {text}." for letter, text in zip("ABCDEF", question.options, strict=False)],
        "answer": question.letter,
    }


def _kinds(number: int, duration: str) -> tuple[str, ...]:
    """What is asked about film `number`: of a short one the whole, of others mostly what is brief."""
    spoken = number % 2 == 1 and number not in _WITHOUT_SUBTITLES
    if duration == "short":
        return (*_GLOBAL, _BRIEF[number % 3], "subtitle_word" if spoken else _BRIEF[(number + 2) % 3])
    return (*_BRIEF, _GLOBAL[(number + 1) % 3], "subtitle_word" if spoken else _GLOBAL[number % 3])


def subtitles(duration_s: float, sentence: str, *, font_tags: bool) -> str:
    """An .srt in which a voice says `sentence` in the middle half of the film.

    Each line stays long enough to be on the screen at one of 16 frames. `font_tags` wraps each line as the
    automatically made subtitles of the real set are wrapped.
    """
    lines = [(0.0, 0.2, "Here it begins."), (0.25, 0.75, sentence), (0.8, 1.0, "That was all.")]
    blocks = []
    for number, (start, end, text) in enumerate(lines, start=1):
        shown = f'<font color="white" size=".72c">{text}</font>' if font_tags else text
        blocks.append(f"{number}\n{_stamp(start * duration_s)} --> {_stamp(end * duration_s)}\n{shown}\n")
    return "\n".join(blocks)


def _stamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"00:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
