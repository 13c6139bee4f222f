"""Mini TempCompass: 10 short videos, each asked about in four forms: choice, yes or no, captions, captioning.

Yes-or-no questions and captions say something of the video that is true or false. Their kinds are named apart
("direction, yes or no"): nobody taught the mini models to read them.
"""

from __future__ import annotations

from sf_eval.editions.edition import Edition, Row
from sf_eval.editions.questions import Question, SceneMaker, balanced_letters
from sf_eval.editions.scene import Scene

# Kind: temporal aspect, how it is asked and how it is told. VALUE stands for what is true, or what is not.
_STATEMENTS = {
    "disc_colour": ("attribute_change", "Is the disc that flashes VALUE?", "The disc that flashes is VALUE."),
    "direction": ("direction", "Does the arrow go VALUE?", "The arrow goes VALUE."),
    "bar_count": (
        "action",
        "Is the number of bars that flash VALUE?",
        "The number of bars that flash is VALUE.",
    ),
    "disc_background": (
        "order",
        "Is the background VALUE when the disc flashes?",
        "The background is VALUE when the disc flashes.",
    ),
}
# What is asked above the captions, and what they are called, as the real set has it.
_CAPTIONS = (
    ("Which caption matches the video better?", ("Caption A", "Caption B")),
    ("Which sentence better captures the essence of the video?", ("Sentence A", "Sentence B")),
    ("Which description is a more suitable match for the video?", ("Option 1", "Option 2")),
)
YES_OR_NO, CAPTIONS, CAPTIONING = "yes or no", "captions", "captioning"
_OPTIONS = (4, 3, 2)
_SECONDS = (11, 13, 15)
_VIDEOS = 10
_DESCRIBED = 5  # of them, by captioning
_FPS = 10


def tempcompass() -> Edition:
    maker = SceneMaker("tempcompass")
    count = _VIDEOS * len(_STATEMENTS)
    letters = {options: balanced_letters(count, options, maker.rng) for options in _OPTIONS}
    true_ones = balanced_letters(count, 2, maker.rng)
    first_ones = balanced_letters(count, 2, maker.rng)
    videos: dict[str, tuple[Scene, ...]] = {}
    choice: list[Row] = []
    yes_no: list[Row] = []
    captions: list[Row] = []
    captioning: list[Row] = []
    teller = SceneMaker("tempcompass captioning")
    for number in range(_VIDEOS):
        video = f"mini_{number:02d}"
        scene = maker.scene(_SECONDS[number % len(_SECONDS)], _FPS)
        videos[f"videos/{video}.mp4"] = (scene,)
        for kind, (dim, asked, told) in _STATEMENTS.items():
            at = len(choice)
            about: Row = {"video_id": video, "dim": dim}
            options = _OPTIONS[at % len(_OPTIONS)]
            question = maker.ask(kind, scene, options=options, correct=letters[options].pop())
            choice.append({**about, **columns(question)})
            pair = maker.ask(kind, scene, options=2, correct=true_ones[at])
            said = pair.options[0].lower()  # true where the right one of two came first
            answer = "no" if pair.correct else "yes"
            yes_no.append({**about, "question": asked.replace("VALUE", said), "answer": answer})
            pair = maker.ask(kind, scene, options=2, correct=first_ones[at])
            captions.append({**about, **_caption_columns(pair, told, at)})
            if number < _DESCRIBED:
                asked_of_judge = columns(teller.ask(kind, scene, options=3, correct=at % 3))
                captioning.append({**about, **_captioning_columns(asked_of_judge, dim)})
    tables = {
        "multi-choice/test-00000-of-00001.parquet": choice,
        "yes_no/test-00000-of-00001.parquet": yes_no,
        "caption_matching/test-00000-of-00001.parquet": captions,
        "captioning/test-00000-of-00001.parquet": captioning,
    }
    asked_kinds = list(_STATEMENTS) * _VIDEOS
    forms = ("", f", {YES_OR_NO}", f", {CAPTIONS}", f", {CAPTIONING}")
    kinds = {
        table: [f"{kind}{form}" for kind in asked_kinds[: len(rows)]]
        for (table, rows), form in zip(tables.items(), forms, strict=True)
    }
    return Edition("tempcompass", tables, videos, kinds)


def columns(question: Question) -> Row:
    """The columns of a row of the multiple-choice task that hold a question."""
    shown = [f"{letter}. {text}" for letter, text in zip("ABCD", question.options, strict=False)]
    return {"question": "\n".join([question.text, *shown]), "answer": shown[question.correct]}


def _caption_columns(pair: Question, told: str, number: int) -> Row:
    asked, labels = _CAPTIONS[number % len(_CAPTIONS)]
    shown = [
        f"{label}: {told.replace('VALUE', value.lower())}"
        for label, value in zip(labels, pair.options, strict=True)
    ]
    return {"question": "\n".join([asked, *shown]), "answer": shown[pair.correct]}


def _captioning_columns(asked: Row, dim: str) -> Row:
    """What the model is asked, and what a judge is asked about what it says."""
    aspect = dim.replace("_", " ")
    return {
        "question": f"Give a brief description of the video, focusing on {aspect}.",
        "mc_question": asked["question"],
        "mc_answer": asked["answer"],
    }
