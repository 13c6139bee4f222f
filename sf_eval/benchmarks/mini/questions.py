"""Scenes drawn by lot and questions about them whose answers are true of what the video shows.

Nothing here depends on Python's hash or on the clock: every draw comes from a generator seeded with a
sentence, so that an edition is the same on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations

from sf_eval.benchmarks.mini.scene import BRIGHT, DARK, DIRECTIONS, SHAPES, Flash, Scene, ticks_in

_DIAGONALS = ("from the top left to the bottom right", "from the top right to the bottom left")


@dataclass(frozen=True)
class Question:
    """A question with its options in the order in which they are shown."""

    text: str
    options: tuple[str, ...]
    correct: int

    @property
    def answer(self) -> str:
        return self.options[self.correct]

    @property
    def letter(self) -> str:
        return "ABCDEF"[self.correct]


class Deck:
    """Deals values from a shuffled deck and shuffles anew when it is used up: random, yet balanced."""

    def __init__(self, values: Sequence[str], rng: random.Random) -> None:
        self._values, self._rng, self._left = list(values), rng, list[str]()

    def draw(self, *, unlike: str = "") -> str:
        """The next value; the next but one where the next is `unlike`."""
        usable = [value for value in self._left if value != unlike]
        if not usable:
            fresh = list(self._values)
            self._rng.shuffle(fresh)
            self._left += fresh
            usable = [value for value in self._left if value != unlike]
        self._left.remove(usable[0])
        return usable[0]


class SceneMaker:
    """Draws the scenes of one edition with every colour, direction, shape and count about equally often."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self._background = Deck(tuple(DARK), self.rng)
        self._mover = Deck(tuple(BRIGHT), self.rng)
        self._flash = Deck(tuple(BRIGHT), self.rng)
        self._direction = Deck(tuple(DIRECTIONS), self.rng)
        self._shape = Deck(SHAPES, self.rng)
        self._count = Deck("1234", self.rng)

    def scene(
        self,
        duration_s: float,
        fps: int,
        *,
        many_colours: bool = False,
        size: tuple[int, int] = (128, 96),
    ) -> Scene:
        """A scene whose flashes have one colour, or, with `many_colours`, three flashes of three colours."""
        mover = self._mover.draw()
        if many_colours:
            colours = self.rng.sample([colour for colour in BRIGHT if colour != mover], 3)
        else:
            colours = [self._flash.draw(unlike=mover)] * int(self._count.draw())
        return Scene(
            background=self._background.draw(),
            mover=mover,
            shape=self._shape.draw(),
            direction=self._direction.draw(),
            flashes=tuple(
                Flash(tick, colour)
                for tick, colour in zip(
                    spread(ticks_in(duration_s), len(colours), self.rng), colours, strict=True
                )
            ),
            duration_s=duration_s,
            fps=fps,
            width=size[0],
            height=size[1],
            lane=self.rng.randrange(2),
        )


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


Family = Callable[[Scene, random.Random], tuple[str, str, Sequence[str]]]  # text, answer, all values


def _background(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    return "What colour is the background?", scene.background, tuple(DARK)


def _mover(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    return "What colour is the moving shape?", scene.mover, tuple(BRIGHT)


def _shape(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    return "What is the shape that moves?", scene.shape, (*SHAPES, "star", "cross", "crescent")


def _direction(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    return "In which direction does the shape move?", scene.direction, (*DIRECTIONS, *_DIAGONALS)


def _count(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    return "How many times does a disc flash?", str(len(scene.flashes)), "123456"


def _needle(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    (colour,) = set(scene.flash_colours)  # asked only where all flashes have one colour
    return "What colour is the disc that flashes for a moment?", colour, tuple(BRIGHT)


def _order(scene: Scene, _: random.Random) -> tuple[str, str, Sequence[str]]:
    orders = [", ".join(order) for order in permutations(scene.flash_colours)]
    return "In which order do the discs flash?", orders[0], orders


def _existence(scene: Scene, rng: random.Random) -> tuple[str, str, Sequence[str]]:
    there = rng.random() < 0.5
    colour = scene.mover if there else rng.choice([name for name in BRIGHT if name != scene.mover])
    return f"Is there a moving {colour} shape?", "yes" if there else "no", ("yes", "no", "not sure")


FAMILIES: dict[str, Family] = {
    "background": _background,
    "mover": _mover,
    "shape": _shape,
    "direction": _direction,
    "count": _count,
    "needle": _needle,
    "order": _order,
    "existence": _existence,
}


def ask(family: str, scene: Scene, *, options: int, correct: int, rng: random.Random) -> Question:
    """A question of `family` about `scene` with its right answer at position `correct` of `options`.

    Numbers and the four plain directions come before rarer values, so that four options are 1 to 4 and the
    four directions that scenes have.
    """
    text, answer, values = FAMILIES[family](scene, rng)
    others = [value for value in values if value != answer]
    common = options - 1 if family in ("count", "direction") else len(others)
    wrong = rng.sample(others[:common], options - 1)
    wrong.insert(correct, answer)
    return Question(text, tuple(_sentence(option) for option in wrong), correct)


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
