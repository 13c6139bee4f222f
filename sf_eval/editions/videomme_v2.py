"""Mini Video-MME-v2: 8 short videos, four questions each with eight options, subtitles word by word.

Only backgrounds and words have eight values, so most questions ask for two things at once ("Red, upwards").
Their kinds are named apart: the mini models were taught neither those nor options G and H.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import BRIGHT, DARK, DIRECTIONS, Scene

_OPTIONS = 8
_VIDEOS = 8
_FPS = 10
_SECONDS = (13, 17, 19, 23)
# How the four questions of a video belong together; videos take them by turns.
_GROUPS = (
    ("relevance", None),
    ("logic", "[1, 2, 3, 4]"),
    ("logic", "[1, [2, 3], 4]"),
    ("logic", "[[1, 2], 3, 4]"),
)
_HEADS = (
    ("Visual Recognition", "Attribute"),
    ("Action & Motion", "Direction"),
    ("Change", "Event"),
    ("Complex Plot Comprehension", "Two events"),
)
# Of each question; videos take the lines by turns. That of the last is the group's, a first may have none.
_LEVELS = ((None, 1, 1, 1), (1, 1, 2, 2), (1, 2, 2, 3))


def _pairs(first: tuple[str, ...], second: tuple[str, ...]) -> list[str]:
    return [f"{one}, {other}" for one, other in product(first, second)]


# Kind to its question, all that might be right, and what is.
_PAIRED: dict[str, tuple[str, list[str], Callable[[Scene], str]]] = {
    "mover_colour, direction": (
        "What colour has the arrow, and in which direction does it go?",
        _pairs(tuple(BRIGHT), tuple(DIRECTIONS)),
        lambda scene: f"{scene.mover}, {scene.direction}",
    ),
    "disc_colour, bar_count": (
        "What colour has the disc that flashes, and how many bars flash?",
        _pairs(tuple(BRIGHT), tuple("1234")),
        lambda scene: f"{scene.disc}, {scene.bars}",
    ),
    "disc_colour, disc_background": (
        "What colour has the disc that flashes, and on which background?",
        _pairs(tuple(BRIGHT), tuple(DARK)),
        lambda scene: f"{scene.disc}, {scene.disc_background}",
    ),
}


def videomme_v2() -> Edition:
    maker = SceneMaker("videomme_v2")
    letters = balanced_letters(_VIDEOS * len(_HEADS), _OPTIONS, maker.rng)
    rows: list[Row] = []
    kinds: list[str] = []
    videos: dict[str, tuple[Scene, ...]] = {}
    texts: dict[str, str] = {}
    for number in range(_VIDEOS):
        video = f"{901 + number}"
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], _FPS)
        word, sentence = maker.saying()
        videos[f"{video}.mp4"] = (scene,)
        texts[f"subtitle/{video}.jsonl"] = subtitles(
            scene.duration_s, f"Here it begins. {sentence} That was all."
        )
        group_type, structure = _GROUPS[number % len(_GROUPS)]
        for position, kind in enumerate(_kinds(number)):
            question = _ask(maker, kind, scene, word, letters[len(rows)])
            second_head, third_head = _HEADS[position]
            kinds.append(f"{kind}, eight options")
            rows.append(
                {
                    "video_id": video,
                    "question_id": f"{video}-{position + 1}",
                    "group_type": group_type,
                    "group_structure": structure,
                    "level": _LEVELS[number % len(_LEVELS)][position],
                    "second_head": second_head,
                    "third_head": third_head,
                    **columns(question),
                }
            )
    return Edition("videomme_v2", {"test.parquet": rows}, videos, {"test.parquet": kinds}, texts)


def columns(question: Question) -> Row:
    """The columns of a row that hold a question: its options are one text of eight lines."""
    shown = [f"{letter}. {text}." for letter, text in zip("ABCDEFGH", question.options, strict=True)]
    return {"question": question.text, "options": "\n".join(shown), "answer": question.letter}


def subtitles(duration_s: float, said: str) -> str:
    """What is said, word by word in equal times, as JSON lines."""
    words = said.split()
    step = duration_s / len(words)
    lines = (
        {"text": word, "start_time": round(step * place, 2), "end_time": round(step * (place + 1), 2)}
        for place, word in enumerate(words)
    )
    return "".join(json.dumps(line) + "\n" for line in lines)


def _kinds(number: int) -> tuple[str, ...]:
    """What is asked about video `number`: of every second one also the word that is said."""
    last = "subtitle_word" if number % 2 else "disc_colour, disc_background"
    return ("disc_background", "mover_colour, direction", "disc_colour, bar_count", last)


def _ask(maker: SceneMaker, kind: str, scene: Scene, word: str, correct: int) -> Question:
    if kind not in _PAIRED:
        return maker.ask(kind, scene, options=_OPTIONS, correct=correct, word=word)
    text, values, truth = _PAIRED[kind]
    answer = truth(scene)
    shown = maker.rng.sample([value for value in values if value != answer], _OPTIONS - 1)
    shown.insert(correct, answer)
    return Question(kind, text, tuple(value.capitalize() for value in shown), correct)
