"""Scenes drawn by lot and questions about them whose answers are true of what the video shows.

Nothing here depends on Python's hash or on the clock: every draw comes from a generator seeded with a
sentence, so that an edition is the same on every machine.

Whoever reads a question without seeing the video learns nothing about its answer, not even by knowing this
file: a scene takes every value of a thing equally often, and the other options are drawn from all other
values alike, so that each option shown is as likely to be right as the next (`most_options` says up to how
many there may be).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sf_eval.editions.phrasing import Split, wordings
from sf_eval.editions.scene import BRIGHT, DARK, DIRECTIONS, Scene, shown_frames, stretch, tick_frames

Group = Literal["brief", "global", "subtitle"]

_BARS = "1234"
_BACKGROUNDS = 4  # of a scene
_DECK_CARDS = 24  # about as many as an edition has scenes

#: Kinds of questions and what they take: a moment, the whole, or the subtitles.
KINDS: dict[str, Group] = {
    "disc_colour": "brief",
    "bar_count": "brief",
    "disc_background": "brief",
    "direction": "global",
    "mover_colour": "global",
    "background_seen": "global",
    "subtitle_word": "subtitle",
}

#: Words that a voice says in the subtitles.
WORDS = ("apple", "river", "candle", "tiger", "window", "garden", "silver", "rocket")


@dataclass(frozen=True)
class Question:
    """A question with its options in the order in which they are shown."""

    kind: str
    text: str
    options: tuple[str, ...]
    correct: int

    @property
    def answer(self) -> str:
        return self.options[self.correct]

    @property
    def letter(self) -> str:
        return "ABCDEFGH"[self.correct]


def most_options(kind: str) -> int:
    """How many options there can be, all of them as likely right: as many as there are values, 6 at most."""
    return {"bar_count": len(_BARS), "direction": len(DIRECTIONS)}.get(kind, 6)


class Deck:
    """Deals values from a shuffled deck and shuffles anew when it is used up: random, yet balanced.

    The deck holds each value several times: one that holds it once would hardly ever deal a value twice in a
    row, and whoever saw the next video would know what this one does not show.
    """

    def __init__(self, values: Sequence[str], rng: random.Random) -> None:
        copies = max(round(_DECK_CARDS / len(values)), 1)
        self._values, self._rng, self._left = list(values) * copies, rng, list[str]()

    def draw(self, fits: Callable[[str], bool] = lambda _: True) -> str:
        """The next value that fits."""
        while (place := next((at for at, value in enumerate(self._left) if fits(value)), None)) is None:
            fresh = list(self._values)
            self._rng.shuffle(fresh)
            self._left += fresh
        return self._left.pop(place)


class SceneMaker:
    """Draws the scenes of one edition with every colour, direction and count about equally often.

    Args:
        seed: the sentence that all draws come from, those of each split apart.
        split: whose wordings its questions take.
    """

    def __init__(self, seed: str, split: Split = "test") -> None:
        self.rng = random.Random(f"{split}: {seed}")
        self.split = split
        self._mover = Deck(tuple(BRIGHT), self.rng)
        self._disc = Deck(tuple(BRIGHT), self.rng)
        self._disc_background = Deck(tuple(DARK), self.rng)
        self._direction = Deck(tuple(DIRECTIONS), self.rng)
        self._bars = Deck(_BARS, self.rng)
        self._background = Deck(tuple(DARK), self.rng)
        self._word = Deck(WORDS, self.rng)
        self._wordings: dict[str, Deck] = {}

    def scene(self, duration_s: float, fps: int, *, size: tuple[int, int] = (128, 96)) -> Scene:
        """A scene with one flash of a disc, on one background, and one of one to four bars."""
        mover = self._mover.draw()
        num_frames = round(duration_s * fps)
        ticks = tick_frames(num_frames, fps)
        while True:
            events = spread(len(ticks), 2, self.rng)
            self.rng.shuffle(events)
            disc_tick, bars_tick = events
            seen = {stretch(frame, num_frames, _BACKGROUNDS) for frame in shown_frames(ticks[disc_tick], fps)}
            if len(seen) == 1:
                break
        behind_disc = self._disc_background.draw()
        backgrounds = self.rng.sample([name for name in DARK if name != behind_disc], _BACKGROUNDS - 1)
        backgrounds.insert(seen.pop(), behind_disc)
        return Scene(
            backgrounds=tuple(backgrounds),
            mover=mover,
            direction=self._direction.draw(),
            disc=self._disc.draw(lambda colour: colour != mover),
            disc_tick=disc_tick,
            bars=int(self._bars.draw()),
            bars_tick=bars_tick,
            duration_s=duration_s,
            fps=fps,
            width=size[0],
            height=size[1],
            lane=self.rng.randrange(2),
        )

    def saying(self) -> tuple[str, str]:
        """What the voice of the next video says: the word, and the sentence around it."""
        word = self._word.draw()
        return word, self._wording("saying").replace("WORD", word)

    def ask(self, kind: str, scene: Scene, *, options: int, correct: int, word: str = "") -> Question:
        """A question of `kind` with its right answer at position `correct` of `options`.

        Args:
            word: what the video's voice says, for "subtitle_word".
        """
        if kind == "background_seen":
            word = self._background.draw(lambda name: name in scene.backgrounds)
        answer, distractors = _ANSWERS[kind](scene, word, self.rng)
        shown = distractors[: options - 1]
        self.rng.shuffle(shown)
        shown.insert(correct, answer)
        return Question(kind, self._wording(kind), tuple(_sentence(option) for option in shown), correct)

    def _wording(self, kind: str) -> str:
        return self._wordings.setdefault(kind, Deck(wordings(kind, self.split), self.rng)).draw()


def spread(ticks: int, count: int, rng: random.Random) -> list[int]:
    """`count` ticks in order, never the first or last of the scene, at least one other tick between two."""
    free = ticks - 2 - (count - 1)
    return [1 + tick + position for position, tick in enumerate(sorted(rng.sample(range(free), count)))]


def balanced_letters(count: int, options: int, rng: random.Random) -> list[int]:
    """Positions of the right answer for `count` questions, each position equally often (up to one)."""
    positions: list[int] = []
    while len(positions) < count:
        block = list(range(options))
        rng.shuffle(block)
        positions += block
    return positions[:count]


# --- what is true, and what to mix it with: answer and distractors, the best ones first ---------------------

# Of a scene, what is asked for where the scene leaves a choice, and a generator.
Truth = Callable[[Scene, str, random.Random], tuple[str, list[str]]]


def _others(values: Sequence[str], answer: str, rng: random.Random) -> list[str]:
    others = [value for value in values if value != answer]
    rng.shuffle(others)
    return others


def _disc_colour(scene: Scene, _: str, rng: random.Random) -> tuple[str, list[str]]:
    """The arrow's colour is no option: whoever saw only the arrow cannot rule it out."""
    return scene.disc, _others([name for name in BRIGHT if name != scene.mover], scene.disc, rng)


def _disc_background(scene: Scene, _: str, rng: random.Random) -> tuple[str, list[str]]:
    """The scene's other backgrounds come first: having seen which there are does not help.

    Nor do the names help: which of them a scene has is a matter of chance, and so is which one has the disc.
    """
    answer = scene.disc_background
    absent = [name for name in DARK if name not in scene.backgrounds]
    return answer, _others(scene.backgrounds, answer, rng) + _others(absent, answer, rng)


def _bar_count(scene: Scene, _: str, rng: random.Random) -> tuple[str, list[str]]:
    answer = str(scene.bars)
    return answer, _others(_BARS, answer, rng)


def _direction(scene: Scene, _: str, rng: random.Random) -> tuple[str, list[str]]:
    return scene.direction, _others(tuple(DIRECTIONS), scene.direction, rng)


def _mover_colour(scene: Scene, _: str, rng: random.Random) -> tuple[str, list[str]]:
    return scene.mover, _others(tuple(BRIGHT), scene.mover, rng)


def _background_seen(scene: Scene, name: str, rng: random.Random) -> tuple[str, list[str]]:
    return name, _others([other for other in DARK if other not in scene.backgrounds], "", rng)


def _subtitle_word(_: Scene, word: str, rng: random.Random) -> tuple[str, list[str]]:
    return word, _others(WORDS, word, rng)


_ANSWERS: dict[str, Truth] = {
    "disc_colour": _disc_colour,
    "disc_background": _disc_background,
    "bar_count": _bar_count,
    "direction": _direction,
    "mover_colour": _mover_colour,
    "background_seen": _background_seen,
    "subtitle_word": _subtitle_word,
}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
