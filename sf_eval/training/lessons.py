"""Questions as the decoder's training reads them: exact prompts of the harness, as tokens with their truth.

Each lesson is asked in the form of one of the benchmarks, through that benchmark's own adapter, so that a
prompt in training is a prompt of an evaluation, only with other wordings, options and videos.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.prompts import with_subtitles
from sf_eval.editions import egoschema, longvideobench, mlvu, mvbench, videomme
from sf_eval.editions.phrasing import Split
from sf_eval.editions.questions import KINDS, WORDS, Question, SceneMaker, most_options
from sf_eval.editions.scene import BRIGHT, DARK, DIRECTIONS, Scene
from sf_eval.model.modeling import VIDEO_TOKEN_ID

Row = dict[str, Any]


@dataclass(frozen=True)
class _Form:
    """One benchmark's way of asking.

    Attributes:
        options: numbers of options it may have.
        filler: the columns of a row that say nothing of the question.
    """

    benchmark: str
    options: tuple[int, ...]
    columns: Callable[[Question], Row]
    filler: Row


_VIDEOMME: Row = {
    "videoID": "v", "question_id": "q", "duration": "short", "domain": "d", "sub_category": "s",
    "task_type": "t",
}  # fmt: skip
_MLVU: Row = {"video_name": "v.mp4", "duration": 1.0}
LONGVIDEOBENCH_ROW: Row = {
    "video_id": "v", "video_path": "v.mp4", "id": "q", "duration_group": 15, "question_category": "c",
    "duration": 1.0, "subtitle_path": "s.json", "starting_timestamp_for_subtitles": 0.0,
}  # fmt: skip
_FORMS = (
    _Form("videomme", (4,), videomme.columns, _VIDEOMME),
    _Form("videomme_w_subtitle", (4,), videomme.columns, _VIDEOMME),
    _Form("mlvu", (4,), mlvu.columns, {**_MLVU, "task_type": "needle"}),
    _Form("mlvu_test", (6,), mlvu.columns, {**_MLVU, "task_type": "needleQA"}),
    _Form("mvbench_action_count", (3, 4, 5), mvbench.columns, {"video": "v.mp4"}),
    _Form("egoschema_subset", (5,), egoschema.columns, {"question_idx": "0", "video_idx": "v"}),
    _Form("longvideobench", (2, 3, 4, 5), longvideobench.columns, LONGVIDEOBENCH_ROW),
)
_SUBTITLED = _FORMS[1]


def _forms_of(kind: str) -> list[_Form]:
    """The forms in which an edition may ask a question of `kind`."""
    return [form for form in _FORMS if min(form.options) <= most_options(kind)]


_WITHOUT_SUBTITLES = 0.1  # share of the subtitled prompts that find none, as a few films of the edition

#: Every answer that a question may have; training predicts it at the end of the question.
ANSWERS = tuple(name.capitalize() for name in (*BRIGHT, *DARK, *DIRECTIONS, *"1234", *WORDS))


@dataclass(frozen=True)
class Lesson:
    """One question and its truth.

    Attributes:
        ids: tokens after the video's placeholder, up to where the answer begins: [n].
        letter: token of the right letter.
        question_end: position in `ids` where the question has just been read.
        option_ends: position in `ids` of each option's end.
        correct: which option is right.
        answer: the answer's place among those that the teacher knows.
    """

    kind: str
    ids: tuple[int, ...]
    letter: int
    question_end: int
    option_ends: tuple[int, ...]
    correct: int
    answer: int


class Asker:
    """Draws questions about scenes, with the training's wordings, in the forms of the benchmarks.

    Args:
        seed: the sentence that all draws come from.
        split: whose wordings they take.
    """

    def __init__(self, seed: str, split: Split = "train") -> None:
        self._maker = SceneMaker(seed, split)
        self.rng: random.Random = self._maker.rng

    def ask(self, scene: Scene, kind: str) -> tuple[Document, Question, str]:
        """Document, question and the whole prompt of a question about `scene`."""
        form = _SUBTITLED if kind == "subtitle_word" else self.rng.choice(_forms_of(kind))
        options = self.rng.choice([count for count in form.options if count <= most_options(kind)])
        word, sentence = self._maker.saying()
        question = self._maker.ask(
            kind, scene, options=options, correct=self.rng.randrange(options), word=word
        )
        document = get_benchmark(form.benchmark).read_row(0, {**form.filler, **form.columns(question)})
        prompt = document.prompt
        if form is _SUBTITLED:
            missing = kind != "subtitle_word" and self.rng.random() < _WITHOUT_SUBTITLES
            font_tags = self.rng.random() < 0.5
            text = None if missing else videomme.subtitles(scene.duration_s, sentence, font_tags=font_tags)
            prompt = with_subtitles(document, text, [frame / scene.fps for frame in scene.ticks])
        return document, question, prompt


class Prompter(Protocol):
    """A processor of any family, as far as a teacher needs it."""

    @property
    def tokenizer(self) -> Any: ...
    @property
    def eos_token_ids(self) -> tuple[int, ...]: ...
    def tokenize(self, prompt: str) -> torch.Tensor:
        """One user's turn as ids [1, L], with `VIDEO_TOKEN_ID` where the video's tokens are."""
        ...


class Teacher:
    """Turns an asker's questions into tokens.

    Args:
        answers: every answer that a question may have.

    Attributes:
        prefix: tokens before the video, the same in every prompt.
        end: the token that ends an answer.
    """

    def __init__(self, processor: Prompter, answers: Sequence[str] = ANSWERS) -> None:
        self._answers = tuple(answers)
        self._processor = processor
        tokenizer = processor.tokenizer
        self._letters = [tokenizer.encode(letter, add_special_tokens=False)[0] for letter in "ABCDEF"]
        # Byte-level BPE writes a line break so; no token holds two, since no prompt has an empty line.
        self._breaks = {index for token, index in tokenizer.get_vocab().items() if "\u010a" in token}
        whole = self._tokens("")
        self.prefix: tuple[int, ...] = tuple(whole[: whole.index(VIDEO_TOKEN_ID)])
        self.end: int = processor.eos_token_ids[0]

    def lesson(self, asker: Asker, scene: Scene, kind: str) -> Lesson:
        document, question, prompt = asker.ask(scene, kind)
        ids = self._tokens(prompt)[len(self.prefix) + 1 :]
        breaks = [place for place, token in enumerate(ids) if token in self._breaks]
        lines = prompt.split("\n")  # line n lies between break n and break n + 1
        asked = lines.index(document.question)
        first = next(place for place, line in enumerate(lines) if line.startswith("A. "))
        return Lesson(
            kind=kind,
            ids=tuple(ids),
            letter=self._letters[question.correct],
            question_end=breaks[asked + 1],
            option_ends=tuple(breaks[first + place + 1] for place in range(len(question.options))),
            correct=question.correct,
            answer=self._answers.index(question.answer),
        )

    def _tokens(self, prompt: str) -> list[int]:
        ids: list[int] = self._processor.tokenize(prompt)[0].tolist()
        return ids


def training_prompts(seed: str, scenes: Sequence[Scene], count: int) -> list[str]:
    """Prompts for the tokenizer to learn from, every kind of question as often."""
    asker = Asker(seed)
    kinds = tuple(KINDS)
    return [asker.ask(scenes[number % len(scenes)], kinds[number % len(kinds)])[2] for number in range(count)]
